"""The files of a check of closed days: a table of what remains, and a page for the office."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Final

import polars as pl

from bulk_cancel.core.model import Contact
from bulk_cancel.core.moments import show_moment, write_moment
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.selection import Selection
from bulk_cancel.core.text import counted, one_line
from bulk_cancel.reports.csv_file import harmless_texts
from bulk_cancel.reports.files import written_aside
from bulk_cancel.reports.pages import layout
from bulk_cancel.reports.pages.figures import segments
from bulk_cancel.reports.pages.layout import Kind, Page, Row, Tone
from bulk_cancel.reports.pages.rendering import write_page

LEFT_CSV: Final = "left.csv"
CLOSED_HTML: Final = "closed.html"


class LeftKind(StrEnum):
    """What may remain on a closed day."""

    APPOINTMENT = "appointment"
    PENDING = "pending booking"
    SLOTS = "bookable slots"


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that remains. Of slots `start` is the first one's start, and `end` the last one's start."""

    kind: LeftKind
    id: str
    start: str | None
    end: str | None
    host_ids: tuple[str, ...]
    meeting_type_id: str | None
    note: str
    contacts: tuple[Contact, ...] = field(default=(), repr=False)
    name: str = ""  #: of what has no id: the meeting type
    count: int = 1  #: how many slots these are

    @property
    def last(self) -> str | None:
        """The last start: of slots, the last slot's."""
        return self.end if self.kind is LeftKind.SLOTS else self.start


@dataclass(frozen=True, slots=True)
class ClosedFacts:
    """The facts of a check for its page."""

    selection: Selection
    exit_code: int
    parts: Sequence[tuple[str, str]]  #: name and sentence
    looked_at: float  #: seconds since the epoch
    provenance: Provenance  #: who looked, with which command

    @property
    def zone(self) -> tzinfo:
        """The zone of the days."""
        return self.selection.days.zone


_KINDS = {
    LeftKind.APPOINTMENT: Kind("appointment", Tone.BAD, "!"),
    LeftKind.PENDING: Kind("pending booking", Tone.WARN, "?"),
    LeftKind.SLOTS: Kind("bookable slots", Tone.WARN, "○"),
}
_ADVICE = {
    0: (Kind("closed", Tone.GOOD, "✓"), "Nothing is left to do."),
    3: (Kind("not closed", Tone.BAD, "!"), "The sentences below say what to do, and each row says what is left."),
    4: (Kind("not known", Tone.WARN, "?"), "A part of it could not be read: a person has to look."),
}


def write_closed(left: Sequence[Left], facts: ClosedFacts, out: Path, *, with_contacts: bool) -> None:
    """Write left.csv and closed.html into the folder `out`, for the user's eyes only. Raises ReportError.

    Names and addresses are only in left.csv, and only when a person asked for them.
    """
    with written_aside(out, [LEFT_CSV]) as folder:
        (folder / LEFT_CSV).write_text(_csv(left, facts, with_contacts=with_contacts), encoding="utf-8")
    write_page(_page(left, facts), out, CLOSED_HTML)


def _csv(left: Sequence[Left], facts: ClosedFacts, *, with_contacts: bool) -> str:
    columns: dict[str, list[str]] = {
        "kind": [one.kind.value for one in left],
        "id": [one.id for one in left],
        "start": [write_moment(one.start, facts.zone) for one in left],
        "end": [write_moment(one.end, facts.zone) for one in left],
        "host_ids": [" ".join(one.host_ids) for one in left],
        "meeting_type_id": [one.meeting_type_id or "" for one in left],
        "note": [one.note for one in left],
        "selection": [str(facts.selection)] * len(left),
    }
    if with_contacts:
        for name, part in (("names", "name"), ("emails", "email"), ("phones", "phone")):
            columns[name] = ["; ".join(one_line(getattr(person, part)) for person in one.contacts) for one in left]
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return frame.with_columns(harmless_texts()).write_csv()


def _page(left: Sequence[Left], facts: ClosedFacts) -> Page:
    state, advice = _ADVICE[facts.exit_code]
    rows = [_row(number, one, facts.zone) for number, one in enumerate(left[: layout.MOST_ROWS], 1)]
    counts = [(kind, sum(one.count for one in left if one.kind is kind)) for kind in LeftKind]
    told = ", ".join(counted(count, kind.value.removesuffix("s")) for kind, count in counts if count)
    return Page(
        title="Closed days",
        name=str(facts.selection),
        state=state,
        headline=f"{state.label.capitalize()}{f': {told}' if told else ''}.",
        advice=advice,
        facts=[
            *facts.parts,
            ("looked at", show_moment(facts.looked_at, facts.zone)),
            *facts.provenance.facts(),
        ],
        bar_title="What is left",
        bar=segments([(_KINDS[kind], count) for kind, count in counts]),
        headers=("Hosts", "From, to"),
        rows=rows,
        note=layout.left_out_note(len(rows), len(left), LEFT_CSV),
    )


def _row(number: int, one: Left, zone: tzinfo) -> Row:
    times = [show_moment(at, zone) for at in (one.start, one.end)]
    return Row(
        row=number,
        kind=_KINDS[one.kind],
        for_a_person=True,
        appointment=one.id,
        notes=[f"meeting type {one.meeting_type_id}"] if one.id and one.meeting_type_id else [],
        text=one.note,
        cells=(", ".join(one.host_ids), ", ".join(filter(None, times))),
        nameless=one.name,
    )
