"""The rows of a history as the program takes them: from a file, or as they are."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.core.model import InputRow
from bulk_cancel.core.plan import Look
from bulk_cancel.engine.context import Foresight
from bulk_cancel.planning.live import LiveReads


@dataclass
class GivenRows:
    """A source whose rows are there already: everything from the plan down is the program's."""

    given: list[InputRow]
    digest: str = "as given"
    notes: tuple[str, ...] = ()

    def rows(self, reads: LiveReads | None) -> GivenRows:
        return self

    def chunks(self) -> Iterator[list[InputRow]]:
        yield self.given

    filled_chunks = chunks

    def look(self, look: Look | None) -> Look | None:
        return look

    def foresight(self, reads: LiveReads | None) -> Foresight:
        return Foresight(seen=reads.seen if reads else {})


def write_rows(path: Path, rows: list[InputRow]) -> None:
    """Write the rows as a person would: row numbers are those of the file."""
    columns = ("appointment_id", "attendee_id", "cancel_entire_series", "cancel_all", "reason")
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(columns)
        for row in rows:
            series, everybody = ("true" if value else "" for value in (row.entire_series, row.cancel_all))
            out.writerow([row.appointment_id or "nobody", row.attendee_id or "", series, everybody, row.reason or ""])
