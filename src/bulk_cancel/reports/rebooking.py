"""The rebooking list: the people to call after a closure. Written only when asked for, readable by its owner alone.

A telephone number begins with +, and people may write a formula into a name: an apostrophe keeps both a text.
The API cannot undo a cancel; with this list people can be called. Each row is on disk before its cancel is recorded, so
that the list is complete even when the run is killed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bulk_cancel.core.model import Appointment, Target
from bulk_cancel.core.moments import Zone, show_moment
from bulk_cancel.core.text import harmless, one_line
from bulk_cancel.ops.disk import writing
from bulk_cancel.ops.private_files import open_to_append

REBOOKING = "rebooking.csv"
_COLUMNS = (
    "appointment_id",
    "start",
    "end",
    "location",
    "meeting",
    "meeting_type_id",
    "host_ids",
    "name",
    "email",
    "phone",
)

Keep = Callable[[Target, Appointment], None]


@contextmanager
def rebooking_list(out: Path, zone: Zone) -> Iterator[Keep]:
    """Yield a function that adds a cancelled appointment's attendees to `out`/rebooking.csv, with times in `zone`."""
    file = open_to_append(out / REBOOKING)
    writer = csv.writer(file, lineterminator="\n")

    def write(rows: Iterable[Sequence[str]]) -> None:
        with writing(out / REBOOKING):
            writer.writerows(rows)
            file.flush()

    try:
        if not file.tell():  # a run that continues adds to the existing list
            write([_COLUMNS])
        yield lambda target, seen: write(
            [harmless(one_line(value or "")) for value in row] for row in _rows(target, seen, zone)
        )
    finally:
        with suppress(OSError):  # the disk has refused the unwritten rest before, which was reported
            file.close()


def _rows(target: Target, seen: Appointment, zone: Zone) -> Iterator[tuple[str | None, ...]]:
    slot = (
        seen.appointment_id,
        show_moment(seen.start, zone),
        show_moment(seen.end, zone),
        seen.location and seen.location[:200],
        seen.meeting,
        seen.meeting_type_id,
    )
    for contact in seen.contacts:
        if target.attendee_id in (None, contact.attendee_id):
            yield (*slot, " ".join(seen.host_ids or ()), contact.name, contact.email, contact.phone)
