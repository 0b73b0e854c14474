"""Writes sample_inputs/office_closure.csv, the input of the demo; a test compares the two.

`PYTHONPATH=tests .venv/bin/python -m support.office_sample` prints it.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bulk_cancel.sandbox.people import made_id

COLUMNS = (
    "appointment_id",
    "reason",
    "attendee_id",
    "cancel_all",
    "cancel_entire_series",
    "customer_ref",
    "room",
)
_REASON = "The office is closed because of a burst water pipe. Please book again online."
SINGLES = 40


def made_single(number: int) -> str:
    return made_id(f"demo/single-{number}")


@dataclass(frozen=True, slots=True)
class _Row:
    appointment_id: str
    reason: str = _REASON
    attendee_id: str = ""
    cancel_all: str = ""
    cancel_entire_series: str = ""


def demo_rows() -> list[dict[str, str]]:
    """The rows of the sample input, with made-up customer references and rooms."""
    return [
        {name: getattr(row, name) for name in COLUMNS[:5]}
        | {"customer_ref": f"C-{1001 + number}", "room": f"Room {number % 6 + 1}"}
        for number, row in enumerate(_rows())
    ]


def demo_csv() -> str:
    """The sample input as text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(demo_rows())
    return text.getvalue()


def _rows() -> Iterator[_Row]:
    """The special rows stand among the ordinary ones, as they would in a real file."""
    special = list(_special_rows())
    for number in range(SINGLES):
        yield _Row(made_single(number))
        if number % 2 and special:
            yield special.pop(0)
    yield from special


def _special_rows() -> Iterator[_Row]:
    yield _Row(made_id("demo/group-whole"), cancel_all="yes")
    yield _Row("not-a-uuid")
    yield _Row(made_id("demo/cancelled-1"))
    yield _Row(made_single(0))
    yield _Row(made_id("demo/group-attendee"), attendee_id=made_id("demo/attendee-1"))
    yield _Row(made_id("demo/paid"))
    yield _Row("")
    yield _Row(made_id("demo/group-unclear"))
    yield _Row(made_id("demo/series-0"), cancel_entire_series="true")
    yield _Row(made_id("demo/past"))
    yield _Row(made_single(3))
    yield _Row(made_id("demo/not-found"))
    yield _Row(made_id("demo/unlisted-0"), reason="We are closed. " * 40)
    yield _Row(made_id("demo/cohosted"))
    yield _Row(made_id("demo/cancelled-2"))
    yield _Row(made_id("demo/sync-error"))
    yield _Row(made_id("demo/other-host"), reason="Geschlossen wegen Wasserschaden, bitte neu buchen")


if __name__ == "__main__":
    sys.stdout.write(demo_csv())
