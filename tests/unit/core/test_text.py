"""Text from elsewhere: whatever it holds, what is left is one short harmless line."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_cancel.core.text import clean

ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")
#: Not within a word: "cargo-bike" is none.
TOKEN = re.compile(r"(?:(?<!meete)rgo-|ak_[a-z]+:|Bearer )\w")
_PIECES = st.sampled_from(
    ["rgo-", "ak_live:", "Bearer ", "x@y.de", "@", "\x1b[31m", "\x1b]0;", "\x07", "\ud83d", "\u202e", "\n", "ab", " "]
)
texts = st.text(max_size=2500) | st.lists(_PIECES | st.text(st.characters(), max_size=9), max_size=60).map("".join)


@given(texts, st.integers(8, 300))
@example("rg\x1b[0mo-secret", 200)
@example("a" * 197 + " rgo-secret", 200)
@example("a" * 1596 + " rgo-secret", 200)
def test_nothing_dangerous_is_left(text: str, longest: int) -> None:
    line = clean(text, longest)

    assert len(line) <= longest
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in line)
    assert not any(unicodedata.bidirectional(character) in ("RLO", "LRO", "RLE", "LRE", "PDF") for character in line)
    assert not ADDRESS.search(line)
    assert not TOKEN.search(line)
    line.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("The appointment is in the past.", "The appointment is in the past."),
        ("  two\r\n lines\t", "two  lines"),
        ("\x1b[31mred\x1b[0m and \x1b]0;title\x07done", "red and done"),
        ("ask max.muster+x@example.com, or <eva@example.org>", "ask [address], or <[address]>"),
        ("key ak_live:11111111-1111:s3cret is wrong", "key [credential] is wrong"),
        ("Authorization: Bearer rgo-abc", "Authorization: [credential]"),
        ('{"token":"rgo-abc","x":1}', '{"token":"[credential]","x":1}'),
        ("key ak_test:1:s3cret, please", "key [credential], please"),
        ("the header x-meetergo-api-user-id", "the header x-meetergo-api-user-id"),
        ("evil\u202etxt.exe", "evil txt.exe"),
        ("cut in half \ud83d", "cut in half"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_what_a_person_may_read_stays(text: str, line: str) -> None:
    assert clean(text) == line
