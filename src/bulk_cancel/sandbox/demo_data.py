"""The demo: an office closure. Its world, its faults, and the sample input that names them.

`python -m bulk_cancel.sandbox.demo_data` prints sample_inputs/office_closure.csv; a test compares the two.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bulk_cancel.sandbox.options import SandboxOptions
from bulk_cancel.sandbox.people import made_id
from bulk_cancel.sandbox.world import OCCURRENCES_PER_SERIES, Kind, Wanted, World

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
_SINGLES = 40
_UNLISTED = 10
_SPECIAL = (
    Wanted(Kind.GROUP, made_id("demo/group-whole")),
    Wanted(Kind.GROUP, made_id("demo/group-attendee"), (made_id("demo/attendee-1"), made_id("demo/attendee-2"))),
    Wanted(Kind.GROUP, made_id("demo/group-unclear")),
    Wanted(Kind.PAID, made_id("demo/paid")),
    Wanted(Kind.PAST, made_id("demo/past")),
    Wanted(Kind.COHOSTED, made_id("demo/cohosted")),
    Wanted(Kind.OTHER_HOST, made_id("demo/other-host")),
    Wanted(Kind.SYNC_ERROR, made_id("demo/sync-error")),
    Wanted(Kind.CANCELLED, made_id("demo/cancelled-1")),
    Wanted(Kind.CANCELLED, made_id("demo/cancelled-2")),
)


def _single(number: int) -> str:
    return made_id(f"demo/single-{number}")


#: One answer lost after its effect, one refused by the limit.
DEMO_FAULTS = f"cut-after@{_single(7)},429@{_single(12)}"


def demo_world(now: datetime | None = None) -> World:
    """The appointments of the demo; those named `unlisted` stand in no row and must stay as they are."""
    singles = [Wanted(id=_single(number)) for number in range(_SINGLES)]
    series = [Wanted(Kind.SERIES, made_id(f"demo/series-{number}")) for number in range(OCCURRENCES_PER_SERIES)]
    unlisted = [Wanted(id=made_id(f"demo/unlisted-{number}")) for number in range(_UNLISTED)]
    return World.of([*singles, *_SPECIAL, *series, *unlisted], seed=20, now=now)


def demo_options(port: int = 0) -> SandboxOptions:
    """A sandbox with the demo's world and faults; each demo comes with a token of its own."""
    return SandboxOptions(world=demo_world(), faults=DEMO_FAULTS, port=port, any_personal_token=True)


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
    for number in range(_SINGLES):
        yield _Row(_single(number))
        if number % 2 and special:
            yield special.pop(0)
    yield from special


def _special_rows() -> Iterator[_Row]:
    yield _Row(made_id("demo/group-whole"), cancel_all="yes")
    yield _Row("not-a-uuid")
    yield _Row(made_id("demo/cancelled-1"))
    yield _Row(_single(0))
    yield _Row(made_id("demo/group-attendee"), attendee_id=made_id("demo/attendee-1"))
    yield _Row(made_id("demo/paid"))
    yield _Row("")
    yield _Row(made_id("demo/group-unclear"))
    yield _Row(made_id("demo/series-0"), cancel_entire_series="true")
    yield _Row(made_id("demo/past"))
    yield _Row(_single(3))
    yield _Row(made_id("demo/not-found"))
    yield _Row(made_id("demo/unlisted-0"), reason="We are closed. " * 40)
    yield _Row(made_id("demo/cohosted"))
    yield _Row(made_id("demo/cancelled-2"))
    yield _Row(made_id("demo/sync-error"))
    yield _Row(made_id("demo/other-host"), reason="Geschlossen wegen Wasserschaden, bitte neu buchen")


if __name__ == "__main__":
    sys.stdout.write(demo_csv())
