"""What is open after a run, read from the ledger, for run, status, reconcile and report alike."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from bulk_cancel.core.exit_codes import Remains
from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.states import State
from bulk_cancel.ledger.port import Concern, Ledger, RunRecord, every_unknown

#: Runs that are looked through for those of the same input, and most of these that are named.
_MOST_RUNS, _MOST_NAMED = 1000, 20


def remains_of_run(ledger: Ledger, run_no: int) -> Remains:
    """Return what is still open of a run's rows now."""
    counts: Counter[Status] = Counter()
    for state, count in ledger.counts(run_no).items():
        counts[status_of(state)] += count
    concerns = ledger.concerns(run_no)
    person = {name.value: concerns[name] for name in (Concern.UNDECIDED, Concern.CHANGED, Concern.WARNED)}
    return Remains(counts, **person)


def remains_of_ledger(ledger: Ledger) -> Remains:
    """Return what is still open of all inputs, for a reconcile, which has no rows of its own."""
    return Remains(
        {Status.UNKNOWN: ledger.unknown_count()},
        undecided=sum(item.undecided for item in every_unknown(ledger)),
        sendable=ledger.waiting_count(),
    )


def remains_elsewhere(ledger: Ledger, run_no: int, here: Remains, told: int = 0) -> Remains:
    """Return what other inputs than that of a run left open: unknown targets, and as pending those still to be sent.

    `here` is what the run's own rows leave; `told`: number of unknown targets of others that it counts as well.
    """
    to_send = sum(count for other, count in ledger.left_by_run().items() if other != run_no)
    unknown = max(0, ledger.unknown_count() - ledger.target_states(run_no).get(State.UNKNOWN, 0) - told)
    undecided = 0
    if unknown:
        undecided = sum(item.undecided for item in every_unknown(ledger)) - here.undecided
    return Remains({Status.UNKNOWN: unknown, Status.PENDING: to_send}, undecided=min(unknown, max(0, undecided)))


def earlier_runs(ledger: Ledger, run_id: str) -> list[RunRecord]:
    """Return the runs before this one that read the same input and sent cancels of it, the newest first.

    A later run sends nothing of what they settled, and need not name their ticket and approver.
    """
    (run,) = ledger.runs(run_id)
    if not run.input_digest:
        return []
    same = (other for other in ledger.runs(limit=_MOST_RUNS) if other.input_digest == run.input_digest)
    before = (other for other in same if other.run_no < run.run_no)
    return [*islice((other for other in before if ledger.send_span(other.run_no)), _MOST_NAMED)]


def keep_expiry(ledger: Ledger, run_no: int, expires_at: float) -> None:
    """Record when the plan of a run expires, seconds since the epoch."""
    ledger.bind(_expiry_key(run_no), repr(expires_at))


def has_expired(ledger: Ledger, run_no: int, now: float) -> bool:
    """Return whether a run carried out a plan that has expired."""
    expires_at = ledger.meta(_expiry_key(run_no))
    return expires_at is not None and now >= float(expires_at)


def _expiry_key(run_no: int) -> str:
    return f"plan_expires_at:{run_no}"
