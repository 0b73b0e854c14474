"""`report.html`: the result of a run, for the person responsible. Made from the ledger alone, in flat memory.

Counts and rows are as they are now: a row that was unknown when the run ended may have been settled since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bulk_cancel.core.exit_codes import BAD, LEFT, Remains
from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.moments import Zone, show_moment
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import notes_of
from bulk_cancel.core.text import counted, printable
from bulk_cancel.core.units import show_duration
from bulk_cancel.ledger.port import Concern, Ledger, RowRecord, RunRecord
from bulk_cancel.reports.details import detail_of
from bulk_cancel.reports.next_step import NOT_ENDED, closing_steps, how_again
from bulk_cancel.reports.pages import layout
from bulk_cancel.reports.pages.figures import Timeline, interval_s, segments, timeline
from bulk_cancel.reports.pages.layout import Card, Kind, Page, Row, Tone, left_out_note
from bulk_cancel.reports.pages.rendering import write_page
from bulk_cancel.reports.remains import earlier_runs, is_as_told, next_now, remains_of_run
from bulk_cancel.reports.result_folders import folder_of
from bulk_cancel.reports.summary import read_told

REPORT_HTML: Final = "report.html"

#: In the order of the bar: good, bad, not sent.
KINDS: Mapping[Status, Kind] = MappingProxyType(
    {
        Status.CANCELLED: Kind("cancelled", Tone.GOOD, "✓"),
        Status.ALREADY_CANCELLED: Kind("already cancelled", Tone.GOOD, "✓"),
        Status.UNKNOWN: Kind("unknown", Tone.BAD, "?"),
        Status.FAILED: Kind("failed", Tone.BAD, "✕"),
        Status.REJECTED: Kind("rejected", Tone.BAD, "✕"),
        Status.NOT_FOUND: Kind("not found", Tone.WARN, "✕"),
        Status.INVALID: Kind("invalid", Tone.WARN, "!"),
        Status.PENDING: Kind("not reached", Tone.QUIET, "…"),
        Status.SKIPPED: Kind("skipped", Tone.QUIET, "–"),
    }
)
_DONE = (Status.CANCELLED, Status.ALREADY_CANCELLED)

_CARDS: Mapping[Concern, tuple[Kind, str]] = MappingProxyType(
    {
        Concern.UNKNOWN: (
            KINDS[Status.UNKNOWN],
            "Sent, but no answer proves the outcome; the cancel may still take effect. Run the same command again: "
            "it reads the appointment before it sends.",
        ),
        Concern.UNDECIDED: (
            KINDS[Status.UNKNOWN],
            "Sent, and no read can settle the outcome. Look it up in meetergo and record what you see with "
            "bulk-cancel resolve.",
        ),
        Concern.FAILED: (
            KINDS[Status.FAILED],
            "Could not be sent, and provably was not. Run the same command again.",
        ),
        Concern.REJECTED: (
            KINDS[Status.REJECTED],
            "The API refused, or a reading showed that it would, and nothing was sent: each row says which. Correct "
            "these rows in failed.csv and {again} it as a new input.",
        ),
        Concern.NOT_FOUND: (
            KINDS[Status.NOT_FOUND],
            "The API knows no such appointment or attendee. Check the ids in failed.csv and {again} it as a new input.",
        ),
        Concern.INVALID: (
            KINDS[Status.INVALID],
            "Never sent: the row cannot be carried out. Correct invalid.csv and {again} it as a new input.",
        ),
        Concern.CHANGED: (
            KINDS[Status.SKIPPED],
            "Not what was approved any more, so it was left out. Look at it, and plan it again if it is still wanted.",
        ),
        Concern.WARNED: (
            Kind("warning", Tone.WARN, "!"),
            "The answer says that something after the cancel went wrong, such as a mail or a calendar entry. "
            "Look at them in meetergo.",
        ),
        Concern.PAID: (
            Kind("paid", Tone.WARN, "¤"),
            "Cancelled, and it was paid for. A cancel is no refund: check whether one is due.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run with what the ledger says of it now."""

    record: RunRecord
    told: Mapping[str, Any]  #: the summary from its end; empty when it was interrupted
    remains: Remains
    concerned: Mapping[Concern, Sequence[RowRecord]]  #: the first rows of each concern
    concerns: Mapping[Concern, int]
    as_of: str  #: when its rows were as they are told, if no longer as at its end
    earlier: Sequence[RunRecord]  #: runs of the same input that sent cancels before

    @property
    def total(self) -> int:
        return sum(self.remains.counts.values())

    def count(self, *statuses: Status) -> int:
        return self.remains.count(*statuses)


def write_run_page(
    ledger: Ledger, run: RunRecord, out: Path, now: float, shown: Callable[[Page], Page] = lambda page: page
) -> None:
    """Write the page of a run into `out`, with what `shown` adds. Raises ReportError when the disk refuses."""
    write_page(shown(run_page(ledger, run, now, out)), out, REPORT_HTML)


def run_page(ledger: Ledger, record: RunRecord, now: float, out: Path | None = None) -> Page:
    """Return the page of a run with the present states of its rows; `now` in seconds since the epoch.

    `out` is the folder of its files; None: the run's own.
    """
    run = _read(ledger, record, now)
    said = next_now(ledger, record, run.remains, out or folder_of(record), now)
    rows = _rows(ledger, run)
    return Page(
        title="Cancellations, run",
        name=record.run_id,
        state=_state(run),
        headline=_headline(run),
        advice=printable("\n".join((_advice(run, said), *closing_steps(str(run.told.get("closure", "")), sent=True)))),
        facts=list(_facts(run)),
        bar_title="What became of the rows",
        bar=segments([(kind, run.count(status)) for status, kind in KINDS.items()]),
        timeline=_timeline(ledger, run),
        cards=[_card(run, concern) for concern in _CARDS if run.concerns[concern]],
        headers=("Attempts", "Settled"),
        rows=rows,
        note=left_out_note(len(rows), run.total, "results.csv"),
    )


def _read(ledger: Ledger, record: RunRecord, now: float) -> _Run:
    remains = remains_of_run(ledger, record.run_no)
    concerns = ledger.concerns(record.run_no)
    present = [concern for concern, count in concerns.items() if count]
    many = sum(remains.counts.values()) > layout.MOST_ROWS
    share = layout.MOST_ROWS // max(1, len(present)) if many else layout.MOST_ROWS
    concerned = {
        concern: ledger.concerning_rows(record.run_no, concern, min(share, concerns[concern])) for concern in present
    }
    is_later = bool(told := read_told(record)) and not is_as_told(record, remains)
    as_of = show_moment(now, record.zone) if is_later else ""
    earlier = earlier_runs(ledger, record.run_id)
    return _Run(
        record,
        told,
        remains,
        concerned,
        concerns,
        as_of,
        earlier,
    )


def _state(run: _Run) -> Kind:
    if run.record.status != "ended":
        return Kind("not ended", Tone.BAD, "…")
    if run.remains.for_reads:
        return Kind("outcomes missing", Tone.BAD, "?")
    if run.count(Status.PENDING):
        return Kind("stopped early", Tone.WARN, "…")
    if any(run.concerns.values()):
        return Kind("needs a person", Tone.WARN, "!")
    return Kind("complete", Tone.GOOD, "✓")


def _headline(run: _Run) -> str:
    if not run.total:
        return "There was nothing to cancel."
    done, person = run.count(*_DONE), run.count(*BAD, Status.UNKNOWN) + run.remains.changed
    sentences = [
        f"As of {run.as_of}:" if run.as_of else "",
        _done(done, run.total),
        f"{counted(person, 'row needs', 'rows need')} a person." if person else "",
        f"{counted(run.count(*LEFT), 'row is', 'rows are')} still to be sent." if run.count(*LEFT) else "",
        f"{counted(run.count(Status.SKIPPED), 'row was', 'rows were')} left out." if run.count(Status.SKIPPED) else "",
    ]
    return " ".join(filter(None, (*sentences, _also(run))))


def _also(run: _Run) -> str:
    paid, warned = run.concerns[Concern.PAID], run.concerns[Concern.WARNED]
    parts = (f"{paid:,} paid" if paid else "", f"{warned:,} with a warning" if warned else "")
    said = " and ".join(filter(None, parts))
    return f"Look at {said}, too." if said else ""


def _done(done: int, total: int) -> str:
    if done < total:
        return f"{done:,} of {counted(total, 'row is', 'rows are')} done."
    return "The one row is done." if total == 1 else f"All {total:,} rows are done."


def _advice(run: _Run, said: str) -> str:
    """Return what to do next. A page is passed on: it does not name the folder of the person who made it."""
    not_ended = "" if run.record.status == "ended" else f"{NOT_ENDED} "
    return not_ended + said.replace(f"{Path.cwd()}/", "")


def _facts(run: _Run) -> Iterator[tuple[str, str]]:
    yield "Input", layout.name_of(run.record.source) or "unknown"
    yield "Started", show_moment(run.record.started_at, run.record.zone)
    yield from run.record.provenance.facts()
    if run.as_of:
        yield "Rows", f"as of {run.as_of}; what follows is as of the run's end"
    if run.record.ended_at is not None:
        yield "Took", show_duration(max(0.0, run.record.ended_at - run.record.started_at))
    if requests := run.told.get("requests"):
        throttled = f", {requests['throttled']:,} throttled" if requests["throttled"] else ""
        sent = counted(requests["posts"], "cancel", "cancels")
        yield "Requests", f"{sent}, {counted(requests['gets'], 'read', 'reads')}{throttled}"
    if pace := _pace(run):
        yield "Limit", layout.show_pace(pace)
    if "exit_code" in run.told:
        yield "Exit code", str(run.told["exit_code"])
    for other in run.earlier:
        began = show_moment(other.started_at, run.record.zone)
        yield "Earlier run of this input", f"{other.run_id}, {began}, sent cancels of it: {other.provenance.told}"


def _pace(run: _Run) -> Pace | None:
    limit = run.told.get("limit")
    return Pace(limit["rate_per_s"], limit["burst"]) if limit else None


def _timeline(ledger: Ledger, run: _Run) -> Timeline | None:
    span = ledger.send_span(run.record.run_no)
    if span is None:
        return None
    sends = ledger.sends(run.record.run_no, span[0], interval_s(span[1] - span[0]))
    return timeline(span, sends, _pace(run), run.record.zone)


def _card(run: _Run, concern: Concern) -> Card:
    kind, advice = _CARDS[concern]
    count = run.concerns[concern]
    rows = [_row(record, run.record.zone, for_a_person=True) for record in run.concerned[concern][: layout.EXAMPLES]]
    noun = "appointment" if concern in (Concern.WARNED, Concern.PAID) else "row"
    return Card(kind, count, counted(count, noun), advice.format(again=how_again(run.record)), rows)


def _rows(ledger: Ledger, run: _Run) -> list[Row]:
    """Return the rows that need a person and the first of the others, as many as a page takes, in row order."""
    concerned = {record.row: record for records in run.concerned.values() for record in records}
    first = ledger.rows(run.record.run_no, 0, layout.MOST_ROWS)
    others = (record for record in first if record.row not in concerned)
    chosen = [*concerned.values(), *islice(others, max(0, layout.MOST_ROWS - len(concerned)))]
    chosen.sort(key=lambda record: record.row)
    return [_row(record, run.record.zone, for_a_person=record.row in concerned) for record in chosen]


def _row(record: RowRecord, zone: Zone, *, for_a_person: bool) -> Row:
    target = record.target
    return Row(
        row=record.row,
        kind=KINDS[status_of(record.state)],
        for_a_person=for_a_person,
        appointment=target.appointment_id if target else "",
        notes=notes_of(target) if target else (),
        text=detail_of(record),
        cells=(str(record.attempts), show_moment(record.settled_at, zone)),
    )
