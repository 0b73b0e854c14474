"""One appointment's whole history over all runs, for the person responsible. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial

from bulk_cancel.access.ledgers import LedgerPlace, clock_of
from bulk_cancel.access.machine import Machine
from bulk_cancel.core.explanations import STANDINGS, sentence_of
from bulk_cancel.core.model import Work
from bulk_cancel.core.moments import Zone
from bulk_cancel.core.states import Event, State
from bulk_cancel.core.target_name import parse_target_name, part_of, target_name
from bulk_cancel.core.text import clean, one_line
from bulk_cancel.engine.unknowns import OpenTarget, open_one
from bulk_cancel.errors import UsageError
from bulk_cancel.ledger.port import ALL_RUNS, HistoryLine, Ledger, Naming, RunRecord, Unknown
from bulk_cancel.reports.next_step import command

#: Most rows that are shown of those that name an appointment.
MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class ExplainedEvent:
    """One event, in a sentence."""

    line: HistoryLine
    sentence: str
    zone: Zone  #: in which its time is shown


@dataclass(frozen=True, slots=True)
class TargetHistory:
    """The history of one target."""

    work: Work
    stands: str  #: a sentence: its state
    follows: str  #: a sentence: what follows from that
    open: OpenTarget | None  #: when its outcome is unknown
    warnings: tuple[str, ...]  #: after-effects that went wrong, as the API names them
    rows: tuple[Naming, ...]
    events: tuple[ExplainedEvent, ...]
    runs: tuple[RunRecord, ...]  #: those that name it or have events of it, with their provenance
    zone: Zone  #: in which other times are shown


def explain(place: LedgerPlace, machine: Machine, name: str, zone: Zone = None) -> tuple[TargetHistory, ...]:
    """Return the history of each target of the appointment `name`, or of the one that it names, as `resolve` does.

    Times are to be shown in `zone`; None: each run's in its own.
    Raises UsageError when the ledger does not know it, LedgerError when there is no ledger, or none that is ours.
    """
    with place.reading() as ledger:
        found = find_named(ledger, name)
        if not found:
            raise UsageError(
                f"The ledger {place} knows nothing of {name}: no run ever named it.",
                advice="Check the id, or name another ledger with --ledger.",
            )
        named = ledger.namings(found[0].target.appointment_id, MOST_ROWS)
        opened = partial(open_one, clock=clock_of(ledger, machine.clock), settle_s=settle_s_of(ledger))
        return tuple(_history(ledger, work, named, opened, zone) for work in found)


def zone_of(ledger: Ledger) -> tzinfo | None:
    """Return the zone of the newest run with an input that has a known one; None without one."""
    return next((run.zone for run in ledger.runs() if run.input_digest and run.zone), None)


def zone_of_run(run: RunRecord, given: Zone, other: Zone) -> Zone:
    """Return the zone of a run's times: the given one, else its own, and `other` of a run that read no input."""
    return given or (run.zone if run.input_digest else None) or other


def settle_s_of(ledger: Ledger) -> float:
    """Return the settle time of the newest run with an input, in seconds; 0 where no run has one.

    That run has told people until when to wait, and the next run with its settings waits for as long.
    """
    return next((run.settle_s for run in ledger.runs(limit=ALL_RUNS) if run.input_digest), 0.0)


def find_named(ledger: Ledger, name: str) -> list[Work]:
    """Return the targets of the appointment `name`, or the one that it names. Raises UsageError for no name."""
    appointment_id, part = parse_target_name(name)
    found = ledger.find_targets(appointment_id)
    return [work for work in found if part in ("", part_of(work.target))]


def _history(
    ledger: Ledger, work: Work, named: Sequence[Naming], opened: Callable[[Unknown], OpenTarget], given: Zone
) -> TargetHistory:
    stands, follows = STANDINGS[work.state]
    unknown = opened(*ledger.unknown(work.target_id - 1, 1)) if work.state is State.UNKNOWN else None
    if unknown is not None and unknown.undecided:
        tell = command(f"resolve {target_name(work.target)}", ledger.place)
        follows = f"No read can settle it: look it up in meetergo, and record what you see: {tell}"
    rows = tuple(naming for naming in named if naming.target_id == work.target_id)
    lines = ledger.history(work.target_id)
    ids = dict.fromkeys([*(naming.run_id for naming in rows), *(line.run_id for line in lines)])
    runs = tuple(run for run_id in ids for run in ledger.runs(run_id))
    zone = given or next((run.zone for run in reversed(runs) if run.input_digest and run.zone), None)
    zones = {run.run_id: zone_of_run(run, given, zone) for run in runs}
    return TargetHistory(
        work=work,
        stands=stands,
        follows=follows,
        open=unknown,
        warnings=_warnings(ledger, rows),
        rows=rows,
        events=tuple(ExplainedEvent(line, _sentence(line), zones.get(line.run_id, zone)) for line in lines),
        runs=runs,
        zone=zone,
    )


def _warnings(ledger: Ledger, rows: Sequence[Naming]) -> tuple[str, ...]:
    """Return the warnings of a target; the row of any run shows its present state."""
    records = ledger.rows(rows[-1].run_no, rows[-1].row - 1, 1) if rows else []
    return tuple(filter(None, records[0].warnings.split(","))) if records else ()


def _sentence(line: HistoryLine) -> str:
    event = Event(line.event)
    detail = one_line(line.detail) if event is Event.INTENT else clean(line.detail, 400)  # a reason: as it was mailed
    return sentence_of(event, line.attempt_no, line.http_status, detail)
