"""The rebooking list: the people to call after a closure. Written only when asked for, readable by its owner alone.

A telephone number begins with +, and people may write a formula into a name: an apostrophe keeps both a text.
The API cannot undo a cancel; with this list people can be called. Each row is on disk before its cancel is recorded, so
that the list is complete even when the run is killed, and a list that is removed meanwhile is made again.
"""

from __future__ import annotations

import csv
import os
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
    """Yield a function that adds a cancelled appointment's attendees to `out`/rebooking.csv, with times in `zone`.

    Where the file is removed meanwhile, it is made again, with every row that it had. Raises OutputError and as
    `open_to_append` does.
    """
    listing = _Listing(out / REBOOKING, zone)
    try:
        yield listing.keep
        listing.stay()
    finally:
        with suppress(OSError):  # the disk has refused the unwritten rest before, which was reported
            listing.file.close()


class _Listing:
    """The open list."""

    def __init__(self, path: Path, zone: Zone) -> None:
        self._path, self._zone = path, zone
        self.file = open_to_append(path)
        if not self.file.tell():  # a run that continues adds to the existing list
            self._write([_COLUMNS])

    def keep(self, target: Target, seen: Appointment) -> None:
        """Add a cancelled appointment's attendees."""
        self.stay()
        self._write([harmless(one_line(value or "")) for value in row] for row in _rows(target, seen, self._zone))

    def stay(self) -> None:
        """Make the file again if it is not in its place any more; what it had is added to what is there."""
        with writing(self._path):
            if self._is_in_place():
                return
            rows = os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size, 0).decode()
            again = open_to_append(self._path)
            again.write(rows.partition("\n")[2] if again.tell() else rows)
            again.flush()
            self.file.close()
            self.file = again

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self.file.fileno()))
        except FileNotFoundError:
            return False

    def _write(self, rows: Iterable[Sequence[str]]) -> None:
        with writing(self._path):
            csv.writer(self.file, lineterminator="\n").writerows(rows)
            self.file.flush()


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
