"""`plan.html`: what a plan would do, for the person who approves it. Few of its lines are kept in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bulk_cancel.core.actions import Action
from bulk_cancel.core.estimate import Hours
from bulk_cancel.core.moments import Zone, show_moment, show_span, widened
from bulk_cancel.core.pacing import Pace, duration_s
from bulk_cancel.core.plan import LookSummary, PlanLine, parts_told
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.text import clean, counted, printable
from bulk_cancel.core.units import about
from bulk_cancel.reports.next_step import closing_steps
from bulk_cancel.reports.pages import layout
from bulk_cancel.reports.pages.figures import segments
from bulk_cancel.reports.pages.layout import Card, Kind, Page, Row, Tone, left_out_note, notes_of
from bulk_cancel.reports.pages.rendering import write_page

PLAN_HTML: Final = "plan.html"

#: In the order of the bar: from actions that send to those that do not.
KINDS: Mapping[Action, Kind] = MappingProxyType(
    {
        Action.CANCEL: Kind("to cancel", Tone.GOOD, "→"),
        Action.READ_FIRST: Kind("to look up first", Tone.WARN, "?"),
        Action.REFUSED: Kind("would be refused", Tone.BAD, "✕"),
        Action.NOT_FOUND: Kind("not found", Tone.WARN, "✕"),
        Action.INVALID: Kind("invalid", Tone.WARN, "!"),
        Action.ALREADY_CANCELLED: Kind("already cancelled", Tone.QUIET, "✓"),
        Action.NOTHING: Kind("settled before", Tone.QUIET, "✓"),
        Action.SAME: Kind("named twice", Tone.QUIET, "="),
        Action.SKIP: Kind("left out", Tone.QUIET, "–"),
    }
)
_PAID = Kind("paid", Tone.WARN, "¤")
#: What a person decides or corrects before the plan is approved.
_ADVICE: Mapping[Action, str] = MappingProxyType(
    {
        Action.READ_FIRST: "An earlier cancel of them has no known outcome. The run reads them before it sends.",
        Action.REFUSED: "The API would refuse them. Correct the rows and plan again.",
        Action.NOT_FOUND: "The API knows no such appointment or attendee: nothing is sent. Check the ids.",
        Action.INVALID: "Nothing is sent for them. Correct the rows and plan again.",
    }
)
_PAID_ADVICE = "They were paid for. A cancel is no refund: think of one before you approve."


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """The facts of a plan besides its lines."""

    source: str
    input_digest: str
    made_at: float  #: seconds since the epoch
    pace: Pace
    paces: Mapping[str, Pace] = field(default_factory=dict)  #: by account, where there are any
    notes: Callable[[], tuple[str, ...]] = tuple  #: sentences for its reader; known when the page is written
    closure: str = ""  #: the command that checks the days of a closure; empty: this plan is of no closure
    provenance: Provenance = field(default_factory=Provenance)
    digest: Callable[[], str | None] = lambda: None  #: of the plan file; known when the page is written
    shown: Callable[[Page], Page] = lambda page: page  #: adds the columns of the input that somebody wants to see
    hours: Callable[[], Hours] = Hours  #: when cancels may be sent; known when the page is written
    zone: Zone = None  #: of its readers
    look: Callable[[], LookSummary | None] = lambda: None  #: what was read; known when the page is written


@dataclass(slots=True)
class PlanPage:
    """A page that takes a plan line by line. It keeps at most as many lines of each kind as a page may show."""

    facts: PlanFacts
    actions: Counter[Action] = field(default_factory=Counter)
    cancels: Counter[str] = field(default_factory=Counter)  #: by account
    paid: int = 0
    without_reason: int = 0  #: of those to be cancelled
    series: int = 0  #: of those to be cancelled, whole series
    groups: int = 0  #: of those to be cancelled, everyone in a group
    starts: tuple[float, float] | None = None  #: the first and the last start of what is to be cancelled
    _concerning: defaultdict[Action, list[Row]] = field(default_factory=lambda: defaultdict(list), repr=False)
    _paid_rows: list[Row] = field(default_factory=list, repr=False)
    _others: list[Row] = field(default_factory=list, repr=False)

    def add(self, line: PlanLine) -> None:
        """Add the next line."""
        self.actions[line.action] += 1
        self.cancels[line.row.account or ""] += line.action is Action.CANCEL
        paid = line.is_sent and line.seen is not None and line.seen.paid
        if line.is_sent and line.seen:
            self.starts = widened(self.starts, line.seen.start)
        self.paid += paid
        self.without_reason += line.is_sent and not line.row.reason
        self.series += line.is_sent and line.row.entire_series
        self.groups += line.is_sent and line.is_for_a_group
        kept = self._kept(line.action, paid=paid)
        if len(kept) < layout.MOST_ROWS:
            kept.append(_row(line, self.facts.zone, for_a_person=paid or line.action in _ADVICE))

    def _kept(self, action: Action, *, paid: bool) -> list[Row]:
        if action in _ADVICE:
            return self._concerning[action]
        return self._paid_rows if paid else self._others

    def page(self) -> Page:
        """Return the page of all lines so far."""
        rows, total = self._rows(), self.actions.total()
        return Page(
            title="Cancellations, plan of",
            name=layout.name_of(self.facts.source),
            state=self._state(),
            headline=self._headline(),
            advice=self._time(),
            facts=list(self._facts()),
            bar_title="What would be done",
            bar=segments([(kind, self.actions[action]) for action, kind in KINDS.items()]),
            cards=list(self._cards()),
            headers=("Reason in the mail", "Starts"),
            cells_are_sentences=True,
            rows=rows,
            note=left_out_note(len(rows), total, "plan.csv"),
        )

    def _state(self) -> Kind:
        if any(self.actions[action] for action in _ADVICE) or self.paid or self.series or self.groups:
            return Kind("look before you approve", Tone.WARN, "!")
        return Kind("nothing unusual", Tone.GOOD, "✓")

    def _headline(self) -> str:
        if not self.actions.total():
            return "There is nothing to cancel."
        cancels = self.actions[Action.CANCEL]
        unclear = self.actions[Action.READ_FIRST]
        other = self.actions.total() - cancels - unclear
        sentences = (
            f"{counted(cancels, 'cancellation')} would be sent{parts_told(self.series, self.groups)}.",
            look.people if (look := self.facts.look()) else "",
            f"{counted(unclear, 'row is', 'rows are')} looked up first." if unclear else "",
            f"Nothing is sent for {counted(other, 'row', 'rows')}." if other else "",
        )
        return " ".join(filter(None, sentences))

    def _time(self) -> str:
        cancels = self.actions[Action.CANCEL]
        if not cancels:
            return "This plan would send no mail."
        paces = self.facts.paces
        lasting = max(duration_s(count, paces.get(name, self.facts.pace)) for name, count in self.cancels.items())
        ends = self.facts.hours().outlook(self.facts.made_at, lasting)
        rate = "each account's own rate" if paces else layout.show_pace(self.facts.pace)
        takes = f"Each of them mails people and cannot be undone. It takes {about(lasting)} at {rate}."
        when = f"If it began when it was planned: {ends[:1].lower()}{ends[1:]}" if ends else ""
        told = " ".join(filter(None, (takes, when)))
        return printable("\n".join((told, *closing_steps(self.facts.closure))))

    def _facts(self) -> Iterator[tuple[str, str]]:
        yield "Rows", f"{self.actions.total():,}"
        yield "Planned", show_moment(self.facts.made_at, self.facts.zone)
        yield from replace(self.facts.provenance, plan_digest=self.facts.digest() or "").facts()
        yield "Reasons in the mails", self._reasons()
        if notes := self.facts.notes():
            yield "Notes", clean(" ".join(notes), 2000)
        if self.starts:
            yield "Appointments start", show_span(self.starts, self.facts.zone)
        yield "Input's SHA-256", self.facts.input_digest

    def _reasons(self) -> str:
        return counted(self.without_reason, "mail", "mails") + " without" if self.without_reason else "in all mails"

    def _cards(self) -> Iterator[Card]:
        for action, advice in _ADVICE.items():
            if count := self.actions[action]:
                yield Card(
                    KINDS[action], count, counted(count, "row"), advice, self._concerning[action][: layout.EXAMPLES]
                )
        if self.paid:
            what = counted(self.paid, "appointment")
            yield Card(_PAID, self.paid, what, _PAID_ADVICE, self._paid_rows[: layout.EXAMPLES])

    def _rows(self) -> list[Row]:
        """Return the rows that need a person and the first of the others, as many as a page takes, in row order."""
        groups = [rows for rows in (*self._concerning.values(), self._paid_rows) if rows]
        share = layout.MOST_ROWS // max(1, len(groups)) if self.actions.total() > layout.MOST_ROWS else None
        chosen = [row for rows in groups for row in rows[:share]]
        chosen += self._others[: layout.MOST_ROWS - len(chosen)]
        return sorted(chosen, key=lambda row: row.row)


@contextmanager
def writing_plan_page(out: Path, facts: PlanFacts) -> Iterator[PlanPage]:
    """Yield a page for the lines of a plan; after the block plan.html is in `out`, unless the block failed.

    Raises ReportError when the disk refuses.
    """
    page = PlanPage(facts)
    yield page
    write_page(facts.shown(page.page()), out, PLAN_HTML)


def _row(line: PlanLine, zone: Zone, *, for_a_person: bool) -> Row:
    row, seen, no_reason = line.row, line.seen, "(no reason)" if line.is_sent else ""
    return Row(
        row=row.row,
        kind=KINDS[line.action],
        for_a_person=for_a_person,
        appointment=row.appointment_id or "",
        notes=notes_of(row.attendee_id, entire_series=row.entire_series, is_for_a_group=line.is_for_a_group),
        text=clean(line.why, 2000),
        cells=(
            clean(f"(not mailed) {row.reason}" if row.other_reason else row.reason or no_reason, 500),
            show_moment(seen.start if seen else None, zone),
        ),
    )
