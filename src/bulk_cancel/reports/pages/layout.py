"""What a page is made of, as values: the template shows them and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.text import clean
from bulk_cancel.reports.pages.figures import Segment, Timeline

#: Rows of a table at most: a phone still opens and searches so many at once.
MOST_ROWS = 5000
#: Rows that a card names.
EXAMPLES = 5


class Tone(StrEnum):
    """The colour of a kind. Each kind has a symbol and a word besides, for people who see no colours."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Kind:
    """A status or an action, as people read it."""

    label: str
    tone: Tone
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table."""

    row: int
    kind: Kind
    for_a_person: bool
    appointment: str  #: its id, or empty
    notes: Sequence[str]  #: what else the row asks for: one attendee, the whole series
    text: str  #: why, or what was found
    cells: Sequence[str]  #: under the page's own headers
    shown: Sequence[tuple[str, str]] = ()  #: columns of the input that somebody wanted to see: name and cell


@dataclass(frozen=True, slots=True)
class Card:
    """Rows that need a person for one reason, and what to do with them."""

    kind: Kind
    count: int
    what: str  #: what of, in plural or singular as the count wants it
    advice: str
    rows: Sequence[Row]  #: the first of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that a page shows."""

    title: str
    name: str  #: which run or plan
    state: Kind
    headline: str  #: the result in a sentence or two
    advice: str  #: what to do now
    facts: Sequence[tuple[str, str]]
    bar_title: str
    bar: Sequence[Segment[Kind]]
    timeline: Timeline | None
    cards: Sequence[Card]
    headers: tuple[str, str]  #: of the table, after row, status, appointment and why
    cells_are_sentences: bool  #: those under the first of these headers: they want room
    rows: Sequence[Row]
    shown: Sequence[str] = ()  #: names of the columns of the input that somebody wanted to see
    note: str  #: which rows the table leaves out and where they are; empty when none


def left_out_note(shown: int, total: int, file: str) -> str:
    """Say which rows a table does not show; nothing when it shows all."""
    if shown >= total:
        return ""
    return (
        f"This table shows {shown:,} of {total:,} rows: rows that need a person and the first of the others. "
        f"{file} has all of them."
    )


def notes_of(attendee_id: str | None, *, cancel_all: bool, entire_series: bool) -> list[str]:
    """Say what a row asks for besides its appointment."""
    notes = (
        f"attendee {attendee_id}" if attendee_id else "",
        "everyone in the group" if cancel_all else "",
        "the whole series" if entire_series else "",
    )
    return [note for note in notes if note]


def show_pace(pace: Pace) -> str:
    """Write a limit as a person would: `100/min after a burst of 200`."""
    per_minute = pace.rate_per_s * 60
    rate = f"{pace.rate_per_s:g}/s" if per_minute > 600 else f"{per_minute:g}/min"
    return f"{rate} after a burst of {pace.burst:,}"


def name_of(source: str) -> str:
    """Return the last part of an input's path or address: folders may carry a person's name."""
    return clean(source.rstrip("/").replace("\\", "/").rpartition("/")[2] or source)
