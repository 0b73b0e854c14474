"""Reasons with blanks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.template import parse_template

VALUES = {
    "bell": "a\x1b[31mb",
    "nul": "a\0b",
    "lost": "#N/A",
    "wrapped": '="007"',
    "location": "Berlin",
    "start": "2026-11-30T09:00:00+01:00",
    "empty": " ",
    "Termin Nr": "7",
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("closed", "closed"),
        ("Our {location} office", "Our Berlin office"),
        ("on {start:%d %B %Y} at {start:%H:%M}", "on 30 November 2026 at 09:00"),
        ("{{not a blank}}", "{not a blank}"),
        ("no {Termin Nr}", "no 7"),
        ("  {location}  ", "Berlin"),
        ("no {wrapped}", "no 007"),
    ],
)
def test_blanks_are_filled_in(text: str, reason: str) -> None:
    assert parse_template(text).fill(VALUES) == reason


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{room}", r"needs \{room\}, which is not known"),
        ("{empty}", "not known"),
        ("{location:%d}", "needs a date"),
        ("{bell}", "filled in, contains control characters"),
        ("{nul}", "filled in, contains control characters"),
        ("{lost}", r"needs \{lost\}, which is an error of the sheet: #N/A"),
        ("{location}" * 100, "filled in, has 600 characters"),
    ],
)
def test_what_cannot_be_filled_in_is_said(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_template(text).fill(VALUES)


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a.b}", "{a[0]}", "{a!r}", "{0.__class__}", "{ }"])
def test_only_names_are_blanks(text: str) -> None:
    with pytest.raises(ValueError):
        parse_template(text)


@given(st.text(alphabet="ab {}:%!.[]", max_size=30))
def test_nothing_else_ever_happens(text: str) -> None:
    try:
        filled = parse_template(text).fill({"a": "1", "b": "2026-01-01"})
    except ValueError:
        return
    assert len(filled) <= 500
