"""The rebooking list: whom to call after a closure. Written only when asked for, for its owner's eyes, row by row.

A telephone number begins with +, and people may write a formula into a name: an apostrophe keeps both a text.
The API cannot undo a cancel; this is the undo kit. Each row is on disk when its cancel is recorded, so that a run that
is killed leaves the list of what it had done.
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
    """Yield what adds a cancelled appointment's attendees to `out`/rebooking.csv, mode 0600, with times in `zone`."""
    file = open_to_append(out / REBOOKING)
    writer = csv.writer(file, lineterminator="\n")

    def write(rows: Iterable[Sequence[str]]) -> None:
        with writing(out / REBOOKING):
            writer.writerows(rows)
            file.flush()

    try:
        if not file.tell():  # a run that goes on adds to the list: those of before are called, too
            write([_COLUMNS])
        yield lambda target, seen: write(
            [harmless(one_line(value or "")) for value in row] for row in _rows(target, seen, zone)
        )
    finally:
        with suppress(OSError):  # what is left in it the disk has refused before, and that was told
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
