"""The content of a page as values, which the template only shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.text import clean
from bulk_cancel.reports.pages.figures import Segment, Timeline

#: Most rows of a table: a phone can still open and search them.
MOST_ROWS = 5000
#: Most rows that a card shows.
EXAMPLES = 5


class Tone(StrEnum):
    """The colour of a kind. Each kind also has a symbol and a word, for people who do not see colours."""

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
    notes: Sequence[str]  #: further requests of the row: one attendee, the whole series
    text: str  #: why, or what was found
    cells: Sequence[str]  #: under the page's own headers
    shown: Sequence[tuple[str, str]] = ()  #: columns of the input that somebody wanted to see: name and cell
    nameless: str = "no id"  #: what stands for the id of a row without one


@dataclass(frozen=True, slots=True)
class Card:
    """Rows that need a person for the same reason, and what to do about them."""

    kind: Kind
    count: int
    what: str  #: the count with its noun
    advice: str
    rows: Sequence[Row]  #: the first of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that a page shows."""

    title: str
    name: str  #: of the run's or plan's input
    state: Kind
    headline: str  #: the result in a sentence or two
    advice: str  #: what to do now
    facts: Sequence[tuple[str, str]]
    bar_title: str
    bar: Sequence[Segment[Kind]]
    timeline: Timeline | None = None
    cards: Sequence[Card] = ()
    headers: tuple[str, str]  #: of the table, after row, status, appointment and why
    cells_are_sentences: bool = False  #: under the first of these headers, so that the column is wide
    rows: Sequence[Row]
    shown: Sequence[str] = ()  #: names of the columns of the input that somebody wanted to see
    note: str  #: which rows the table leaves out, and which file has them; empty when it has all


def left_out_note(shown: int, total: int, file: str) -> str:
    """Return which rows a table leaves out; empty when it shows all."""
    if shown >= total:
        return ""
    return (
        f"This table shows {shown:,} of {total:,} rows: rows that need a person and the first of the others. "
        f"{file} has all of them."
    )


def show_pace(pace: Pace) -> str:
    """Write a limit for people: `100/min after a burst of 200`."""
    per_minute = pace.rate_per_s * 60
    rate = f"{pace.rate_per_s:g}/s" if per_minute > 600 else f"{per_minute:g}/min"
    return f"{rate} after a burst of {pace.burst:,}"


def name_of(source: str) -> str:
    """Return the last part of an input's path or address: the names of folders may contain a person's name."""
    return clean(source.rstrip("/").replace("\\", "/").rpartition("/")[2] or source)
