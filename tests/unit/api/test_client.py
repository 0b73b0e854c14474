"""What a line makes of the head of an answer."""

from __future__ import annotations

import math

import pytest

from bulk_cancel.api.client import ApiSettings, HttpLine
from bulk_cancel.api.http import httpx
from bulk_cancel.core.credential import Credential
from bulk_cancel.core.model import Request, Target

pytestmark = pytest.mark.anyio
NOON = 1_795_348_800.0  # Sun, 22 Nov 2026 12:00:00 GMT


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Throttling(httpx.AsyncBaseTransport):
    """Answers everything with a 429 and these headers."""

    def __init__(self, headers: dict[str, str] | list[tuple[str, str]]) -> None:
        self._headers = headers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers=self._headers, json={"statusCode": 429, "message": "no", "error": "no"})


@pytest.mark.parametrize(
    ("date", "pause_s"),
    [
        ("Sun, 22 Nov 2026 14:00:00 GMT", 30.0),  # its clock is two hours ahead of ours
        ("Sun, 22 Nov 2026 10:00:00 GMT", 4 * 3600 + 30.0),
        ("soon", 2 * 3600 + 30.0),
        (None, 2 * 3600 + 30.0),
    ],
)
async def test_a_date_of_retry_after_is_judged_by_the_servers_own_clock(date: str | None, pause_s: float) -> None:
    headers = {"Retry-After": "Sun, 22 Nov 2026 14:00:30 GMT"} | ({"Date": date} if date else {})
    settings = ApiSettings("http://127.0.0.1/v4", Credential("rgo-x"), now=lambda: NOON)
    line = HttpLine(settings, Throttling(headers))
    answer = await line.cancel(Target("00000000-0000-4000-8000-000000000001"), Request())
    assert (answer.status, answer.retry_after_s) == (429, pause_s)


@pytest.mark.parametrize(
    ("headers", "age_s"),
    [
        ([], 0),
        ([("Age", "100")], 100),
        ([("Age", "100"), ("Age", "0")], 100),
        ([("Age", "0, 100")], 100),
        ([("Age", "100.5")], 100.5),
        ([("Age", "old")], math.inf),
        ([("Age", "")], math.inf),
        ([("X-Cache", "HIT, MISS")], math.inf),
        ([("X-Cache", "Miss from cloudfront")], 0),
        ([("X-Cache", "HIT"), ("Age", "7")], 7),
        ([("Cache-Status", "edge; hit; ttl=100")], math.inf),
        ([("Cache-Status", "edge; fwd=miss")], 0),
        ([("CF-Cache-Status", "STALE")], math.inf),
        ([("CF-Cache-Status", "DYNAMIC")], 0),
    ],
)
async def test_an_answer_is_as_old_as_a_cache_says_and_else_of_any_age(
    headers: list[tuple[str, str]], age_s: float
) -> None:
    line = HttpLine(ApiSettings("http://127.0.0.1/v4", Credential("rgo-x")), Throttling(headers))
    answer = await line.cancel(Target("00000000-0000-4000-8000-000000000001"), Request())
    assert answer.age_s == age_s


@pytest.mark.parametrize(("wishes", "pause_s"), [(["2", "15"], 15), (["15", "15"], 15), (["soon", "3.5"], 3.5)])
async def test_the_longest_of_several_pauses_counts(wishes: list[str], pause_s: float) -> None:
    headers = [("Retry-After", wish) for wish in wishes]
    line = HttpLine(ApiSettings("http://127.0.0.1/v4", Credential("rgo-x")), Throttling(headers))
    answer = await line.cancel(Target("00000000-0000-4000-8000-000000000001"), Request())
    assert answer.retry_after_s == pause_s
