"""One clean line per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bulk_cancel.core.states import State
from bulk_cancel.reports.details import detail_of

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({}, ""),
        ({"state": State.REJECTED, "detail": "too late"}, "too late"),
        ({"state": None, "problems": "a is empty; b is not a UUID"}, "a is empty; b is not a UUID"),
        ({"row": 9, "first_row": 7}, "same target as row 7"),
        ({"row": 9, "first_row": 7, "detail": "too late"}, "same target as row 7: too late"),
        ({"warnings": "CALENDAR_SYNC,MAIL"}, "cancelled, but a person should look: CALENDAR_SYNC, MAIL"),
        (
            {"state": State.ALREADY_CANCELLED, "warnings": "MAIL", "detail": "found", "row": 9, "first_row": 7},
            "same target as row 7: found",
        ),
        (
            {"state": State.REJECTED, "attempts": 0, "http_status": None, "detail": "a group booking"},
            "not sent: a group booking",
        ),
        ({"state": State.REJECTED, "attempts": 0, "http_status": None, "detail": "not sent: why"}, "not sent: why"),
        ({"state": State.REJECTED, "warnings": "MAIL"}, "a person should look: MAIL"),
        ({"detail": "one\ntwo\x1b[0m \u202ethree\x00"}, "one two  three"),
        ({"detail": "ask bob@example.org"}, "ask [address]"),
    ],
)
def test_the_detail_of_a_record_says_what_happened(record: Make, changes: dict[str, Any], detail: str) -> None:
    assert detail_of(record(**changes)) == detail


def test_all_problems_of_a_row_are_listed(record: Make) -> None:
    problems = "; ".join(f'field {no} is not a UUID: "{"x" * 40}…"' for no in range(12))
    assert detail_of(record(state=None, problems=problems)) == problems
