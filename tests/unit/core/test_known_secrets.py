"""A credential is blotted out by its value, with its parts and encodings, whatever it looks like."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core import known_secrets
from bulk_cancel.core.credential import Credential
from bulk_cancel.core.known_secrets import BLOTTED, blotted, keep_out
from bulk_cancel.core.text import clean, redact

#: Without the usual prefix, and with characters that encodings change.
TOKEN = '5f3c9a7e/Kq+Zx81&Lm"Qw02n%41\\dVbTTuiRe77YpS'
KEY = "ak_live:6f1f1f7e-0000-4000-8000-000000000001:Zr8+Qp1mXw7/Lk3vNd5s"
Credential(TOKEN)
Credential(KEY)

#: What is known when the tests are collected: later ones in this process may know of any text.
_PIECES, _KNOWN = [*known_secrets._pieces], dict(known_secrets._known)


@pytest.fixture(scope="module", autouse=True)
def knows_these_alone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_secrets, "_pieces", [*_PIECES])
        patch.setattr(known_secrets, "_known", dict(_KNOWN))
        yield


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, small": lambda text: quote(text, safe="").replace("%2F", "%2f"),
    "percent, all": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 of a header": lambda text: b64encode(f"Bearer {text}".encode()).decode(),
    "base64 of a user": lambda text: b64encode(f":{text}".encode()).decode(),
    "base64 of JSON": lambda text: b64encode(json.dumps([1, text, 2]).encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON, all": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "HTML": html.escape,
    "HTML, all": lambda text: "".join(f"&#{ord(character)};" for character in text),
}


@pytest.mark.parametrize("secret", [TOKEN, KEY, KEY.rpartition(":")[2]], ids=["token", "key", "the key's secret"])
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("take", [clean, redact, blotted])
def test_no_part_of_an_echoed_secret_is_left(
    take: Callable[[str], str], encode: Callable[[str], str], secret: str
) -> None:
    echoed, secret = encode(secret), secret.rpartition(":")[2]
    left = take(f"The header authorization={echoed} is malformed")
    assert BLOTTED in left
    for start in range(len(secret) - 16):
        assert encode(secret[start : start + 16]).strip('"=') not in left


@pytest.mark.parametrize("between", ["\r\n", "\u200b", "\x1b[1m", "\t"])
def test_a_secret_that_comes_in_parts_is_blotted_out(between: str) -> None:
    left = clean(f"The header {between.join((TOKEN[:9], TOKEN[9:20], TOKEN[20:]))} is malformed")
    assert BLOTTED in left
    assert TOKEN[:9] not in left
    assert TOKEN[20:] not in left


@given(st.integers(0, len(TOKEN) - 16), st.integers(16, len(TOKEN)), st.text(max_size=30), st.text(max_size=30))
def test_a_part_of_16_characters_is_blotted_out_wherever_it_is(
    start: int, length: int, before: str, after: str
) -> None:
    part = TOKEN[start : start + length]
    left = blotted(f"{before}{part}{after}")
    assert part not in left
    assert BLOTTED in left


@given(st.text(max_size=100))
def test_a_text_without_a_secret_stays_unchanged(text: str) -> None:
    assert blotted(text) == text


def test_the_words_around_a_secret_stay() -> None:
    assert clean(f"The token {TOKEN} is not known.") == f"The token {BLOTTED} is not known."
    assert clean(f"{TOKEN} {TOKEN[:20]}") == f"{BLOTTED} {BLOTTED}"


def test_eight_characters_of_a_secret_are_not_blotted_out() -> None:
    assert clean(f"The token {TOKEN[:8]}… is not known.") == f"The token {TOKEN[:8]}… is not known."


def test_a_text_that_is_too_short_for_a_secret_is_none() -> None:
    keep_out("limit")
    assert clean("the limit") == "the limit"


def test_the_id_in_a_key_is_no_secret() -> None:
    assert clean("company 6f1f1f7e-0000-4000-8000-000000000001") == "company 6f1f1f7e-0000-4000-8000-000000000001"
