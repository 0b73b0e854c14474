"""`resolve` and `ledger forget`: a person's decisions about a ledger."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bulk_cancel.access.ledgers import LedgerPlace, clock_of, free_run_id
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.setup import provenance_of
from bulk_cancel.commands.explain import find_named
from bulk_cancel.core.model import Entry, Work
from bulk_cancel.core.moments import show_due
from bulk_cancel.core.states import Event, State
from bulk_cancel.core.target_name import target_name
from bulk_cancel.core.text import clean
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.unknowns import due_in_s
from bulk_cancel.errors import UsageError
from bulk_cancel.ledger.high_water import Mark
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.settings.environment import refuse_short_settle

#: The source of a run that only noted as unknown what a killed one left on its way.
RECOVER = "recover"


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision about an unknown target."""

    cancelled: bool
    by: str
    because: str


def resolve(place: LedgerPlace, machine: Machine, name: str, decision: Decision, settle_s: float) -> Work:
    """Record a person's decision about the unknown target `name`, as `parse_target_name` reads it.

    A decision that is refused begins no run.
    Raises UsageError when there is no such unknown target, or when it is declared not cancelled within `settle_s`
    seconds of its cancel, ConfigError when that is too short, LockedError while a run holds the ledger.
    """
    with place.reading():
        pass  # raises when there is no ledger: a decision must not create one
    with place.alone() as ledger:
        clock = clock_of(ledger, machine.clock)
        start = RunStart("", 0.0, clock.base, provenance=provenance_of(machine), settle_s=settle_s)

        def begin(source: str) -> int:
            run_id = free_run_id(ledger, machine)
            return ledger.begin_run(replace(start, run_id=run_id, started_at=clock.now(), source=source))

        if any(work.state is State.SENDING for work in find_named(ledger, name)):
            recovery = begin(RECOVER)
            ledger.recover(recovery, clock.now())
            ledger.end_run(recovery, clock.now(), "")
        work = _unknown_target(ledger, name)
        if not decision.cancelled:
            refuse_short_settle(settle_s, ledger.meta("api_url") or "")
            _refuse_too_early(ledger, work, clock, settle_s)
        run_no = begin("resolve")
        event = Event.RESOLVED_CANCELLED if decision.cancelled else Event.RESOLVED_NOT_CANCELLED
        detail = clean(f"{decision.by}: {decision.because}", 400)
        ledger.append(run_no, [Entry(work.target_id, event, work.state, work.attempts, clock.now(), detail=detail)])
        ledger.end_run(run_no, clock.now(), "")
    return work


def _refuse_too_early(ledger: Ledger, work: Work, clock: Clock, settle_s: float) -> None:
    """Raise UsageError within the settle time, since the cancel may still take effect."""
    (item,) = ledger.unknown(work.target_id - 1, 1)
    left_s = due_in_s(item, clock, settle_s)
    if left_s > 0:
        raise UsageError(
            f"The cancel of {target_name(work.target)} may still take effect: it is too early to say no.",
            advice=f"Nothing was recorded. Look at the appointment again in {show_duration(math.ceil(left_s))}.",
        )


def _unknown_target(ledger: Ledger, name: str) -> Work:
    found = find_named(ledger, name)
    unknown = [work for work in found if work.state is State.UNKNOWN]
    if len(unknown) == 1:
        return unknown[0]
    if unknown:
        names = ", ".join(target_name(work.target) for work in unknown)
        raise UsageError(
            f"Several targets of this appointment are unknown: {names}.",
            advice="Nothing was recorded. Name one of them.",
        )
    state = found[0].state.value if found else "not in the ledger"
    raise UsageError(f"{name} is {state}: only an unknown target can be resolved.")


def forget(place: LedgerPlace, machine: Machine) -> int:
    """Remove this machine's marks of a lost ledger; return the number of events that they knew.

    Raises UsageError while a cancel without an answer may take effect, by the settle time of the run that sent it.
    LockedError while a run works on the ledger, or on a copy of it.
    """

    def refuse(mark: Mark) -> None:
        if left_s := mark.seen.unanswered.left_s(machine.clock.now()):
            when = f"in {show_duration(math.ceil(left_s))}, from {show_due(mark.seen.unanswered.due_at)} on"
            raise UsageError(
                f"A cancel that the ledger {mark.place} knows without an answer may still take effect: it is too early "
                "to forget it.",
                advice=f"Nothing was forgotten. Type the same again {when}.",
            )

    return place.forget(refuse)
