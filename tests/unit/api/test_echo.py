"""A server that sends the credential back: no value has it, so that it gets into no ledger, log or result."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode

import pytest

from bulk_cancel.api.client import ApiSettings, HttpLine
from bulk_cancel.api.http import httpx
from bulk_cancel.api.port import Query
from bulk_cancel.core.credential import Credential
from bulk_cancel.core.model import Request, Target
from bulk_cancel.errors import Exit
from bulk_cancel.ops.notice import RunEnding
from bulk_cancel.ops.notify import body_of

ID = "2b4f8d9e-1111-4c2d-8f00-a1b2c3d4e5f6"
#: Of no known look.
TOKEN = "kQ7vTz2/9mXw+Lr4Bn8sHd1Yc6"
TARGET, REQUEST = Target(ID, None), Request()
BASE64, PERCENT = b64encode(f"Bearer {TOKEN}".encode()).decode(), TOKEN.replace("/", "%2F")
ECHOES = [TOKEN, f"Bearer {TOKEN}", TOKEN[3:], BASE64, PERCENT]


def document(echo: str) -> dict[str, object]:
    texts = dict.fromkeys(("location", "start", "end", "meetingTypeId", "companyId"), echo)
    return {
        "id": ID,
        "isCancelled": False,
        "attendees": [{"id": echo, "fullname": echo, "email": echo}],
        "hostIds": [echo],
        "cancel": {"actionSource": echo},
        "meetingInfo": {"name": echo, "channel": echo},
        "resolvableErrors": [{"errorCode": echo}],
        **texts,
    }


def line(status: int, value: object) -> HttpLine:
    settings = ApiSettings("https://api.example", Credential(TOKEN, "a test"), with_contacts=True)
    return HttpLine(settings, httpx.MockTransport(lambda _: httpx.Response(status, content=json.dumps(value))))


def holds(text: str) -> bool:
    parts = (TOKEN, BASE64, PERCENT)
    return any(part[at : at + 16] in text for part in parts for at in range(5, len(part) - 16))


@pytest.mark.parametrize("echo", ECHOES)
def test_a_refusal_that_quotes_the_credential(echo: str) -> None:
    refusal = {"statusCode": 400, "error": "Bad Request", "message": [f"authorization {echo} is malformed"]}
    answer = asyncio.run(line(400, refusal).cancel(TARGET, REQUEST))
    assert "[credential]" in answer.message
    assert not holds(repr(answer))


@pytest.mark.parametrize("echo", ECHOES)
def test_documents_that_quote_the_credential(echo: str) -> None:
    assert not holds(repr(asyncio.run(line(201, document(echo)).cancel(TARGET, REQUEST))))
    page = {"appointments": [document(echo)], "total": 1}
    assert not holds(repr(asyncio.run(line(200, page).page(Query(0)))))


def test_a_notification_quotes_no_credential() -> None:
    Credential(TOKEN)
    ending = RunEnding(job="a", exit_code=Exit.BUG, sentence=f"It said {TOKEN}.", elapsed_s=1.0)
    assert not holds(body_of(ending))
