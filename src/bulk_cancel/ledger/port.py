"""The contract that every ledger keeps. `tests/contracts` holds every implementation to it.

All calls are synchronous and made one at a time; the engine runs them in a thread. Every call that writes is one
transaction, durable when it returns: after a power cut the ledger holds everything of each call that had returned, and
of each other call everything or nothing. A ledger that machines share dates what it writes by its own clock and ignores
the time that it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bulk_cancel.core.clock import PaceRecord, TimeBase
from bulk_cancel.core.deadline import SETTLE_S
from bulk_cancel.core.model import Entry, InputRow, Scope, Target, Work
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.states import State

#: All rows of the run's own account. (A scope of None means all accounts.)
ALL_ROWS = Scope()
#: A limit above the number of runs in any ledger.
ALL_RUNS = 2**31
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is recorded of a run when it begins."""

    run_id: str
    started_at: float
    base: TimeBase
    source: str = ""
    input_digest: str = ""
    out: str = ""
    provenance: Provenance = field(default_factory=Provenance)
    settle_s: float = SETTLE_S  #: seconds for which its unanswered cancels may still be applied


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger remembers it."""

    run_no: int
    run_id: str
    status: str  #: staging, running or ended; `running` without a living process means that it was killed
    started_at: float
    ended_at: float | None
    source: str
    input_digest: str
    out: str
    summary: str | None  #: the JSON summary of a run that has ended
    settle_s: float = 0.0  #: seconds for which its unanswered cancels may still be applied
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def zone(self) -> tzinfo | None:
        """The zone in which its times are shown; None where it has no name, or is not known here."""
        return self.provenance.zone

    def told_in(self, zone: tzinfo | None) -> RunRecord:
        """Return it with another zone for its times; None: unchanged."""
        return replace(self, provenance=replace(self.provenance, timezone=str(zone))) if zone else self


@dataclass(frozen=True, slots=True)
class Unknown:
    """A target whose last intent has no trustworthy outcome."""

    work: Work
    intent_at: float
    base: TimeBase | None  #: of the run that wrote the intent; None where the ledger's own clock tells the age
    start: str | None  #: the appointment's start, if an answer said so
    last_at: float  #: that run's last event of it: until then the cancel may have been on its way
    undecided: bool = False  #: it is recorded that a person has to settle this attempt
    unverified: bool = False  #: because it was a canary whose effect no read showed
    settle_s: float = 0.0  #: of the run that wrote the intent
    age_s: float = field(default=0.0, compare=False)  #: since `last_at`, when it was read; used only without a base


@dataclass(frozen=True, slots=True)
class RowRecord:
    """One row of an input with the record of its target."""

    row: int
    first_row: int | None
    problems: str | None
    state: State | None
    detail: str
    http_status: int | None
    attempts: int
    settled_at: float | None
    target: Target | None
    cancel_all: bool
    reason: str | None
    user_id: str | None
    warnings: str
    account: str = ""
    mailed_reason: str = ""  #: with which its cancel was sent; empty: without one, or we did not cancel it


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One event of a target's history."""

    event: str
    attempt_no: int
    at: float
    http_status: int | None
    detail: str
    run_id: str


class Concern(StrEnum):
    """Why a row of a run needs a person."""

    UNKNOWN = "unknown"  #: and a later run may settle it
    UNDECIDED = "undecided"  #: unknown, and no read can settle it
    FAILED = "failed"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    PAID = "paid"  #: cancelled by this program, and it was paid for
    WARNED = "warned"  #: cancelled, and the answer reported that an after-effect went wrong; counted in one run
    CHANGED = "changed"  #: skipped, since it differs from what was approved


@dataclass(frozen=True, slots=True)
class Naming:
    """A row of a run's input that names a target."""

    run_no: int
    run_id: str
    row: int
    target_id: int


@dataclass(frozen=True, slots=True)
class Health:
    """The condition of a ledger's file."""

    schema: int
    journal: str  #: SQLite's journal mode; runs write in `wal`
    fault: str  #: what is wrong with its pages; empty when nothing is, or when they were not checked


@dataclass(frozen=True, slots=True)
class PaceUpdate:
    """The limiter's state of one credential, written with the entries that it allowed."""

    credential: str
    record: PaceRecord


class Ledger(Protocol):
    """The history of intents and outcomes, and the targets' states folded from it."""

    notice: str  #: a sentence for the person who opened the ledger, shown once; or empty

    @property
    def place(self) -> str:
        """Its path or address for people, without any password."""

    def append(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> None:
        """Write events and move their targets, and the limiters' states, all or nothing.

        Raises IllegalTransitionError when a transition is not allowed, GuardError when a target is not as its entry
        expects, LockedError when another program keeps the ledger locked: in each case nothing is written. Raises
        LedgerDiskError when the disk refuses: then the batch is missing or whole when the ledger is opened again, and
        nothing more may be appended before that.
        """

    def begin_run(self, start: RunStart) -> int:
        """Record a run, in the chain of digests as well; return its number. It may stage rows now."""

    def stage(self, run_no: int, rows: Sequence[InputRow], at: float, *, retry_refused: bool = False) -> None:
        """Record rows, and the targets that are new. A chunk is one transaction.

        With `retry_refused` refusals are taken up again as they are, unless their row says that they stand.

        Chunks come in row order, and of the rows of a run that name a target exactly one is marked as the first.
        """

    def start_run(self, run_no: int) -> None:
        """Mark the run as staged: sending may begin. A run that was never started has sent nothing."""

    def targets_by_state(self, run_no: int) -> Mapping[State, int]:
        """Count the distinct targets that the run's valid rows name by their states."""

    def end_run(self, run_no: int, at: float, summary: str) -> None:
        """Record the end of a run."""

    def recover(self, run_no: int, at: float, scope: Scope | None = None) -> int:
        """Turn every `sending` that a dead process left behind into `unknown`; return how many there were."""

    def work(
        self, run_no: int, after_row: int, *, series: bool, limit: int, scope: Scope = ALL_ROWS
    ) -> list[tuple[int, Work]]:
        """Return the next sendable targets of a run with the row that names each, in row order.

        After an unknown outcome, in this or an earlier run, the run sends a target at most once: when that becomes
        unknown, too, the next run takes it up.
        """

    def listed_work(self, run_no: int, appointment_ids: Collection[str], *, scope: Scope = ALL_ROWS) -> list[Work]:
        """Return the run's sendable targets of these appointments, in row order; never one of a series."""

    def acting_users(self, run_no: int, *, scope: Scope = ALL_ROWS) -> dict[str | None, int]:
        """Count the run's sendable targets by their acting user, the most first; without those of series."""

    def unknown(self, after_target: int, limit: int, scope: Scope | None = None) -> list[Unknown]:
        """Return unknown targets, of the whole ledger or of a scope, in the order of their ids."""

    def unknown_count(self, scope: Scope | None = None) -> int:
        """Count the targets without a trustworthy outcome."""

    def sendable_count(self, run_no: int, scope: Scope | None = None) -> int:
        """Count the run's targets that may be sent."""

    def may_send_more(self, run_no: int, scope: Scope | None = None) -> bool:
        """Return whether this run may send any of them, once what it waits for is settled."""

    def waiting_count(self) -> int:
        """Count the targets of all runs that were sent and are proven not cancelled."""

    def left_by_run(self) -> Mapping[int, int]:
        """Count the targets that are still to be sent, by the number of the run that last asked for them."""

    def accounts(self, run_no: int) -> list[str]:
        """Return, sorted, the accounts of the run's sendable targets and of all open targets in the ledger."""

    def counts(self, run_no: int) -> Mapping[State | None, int]:
        """Count the run's rows by the state of their targets; None counts the invalid rows."""

    def target_count(self, run_no: int) -> int:
        """Count the distinct targets that the run's valid rows name."""

    def rows(self, run_no: int, after_row: int, limit: int) -> list[RowRecord]:
        """Return the run's rows with their targets' records, in row order."""

    def states_of(self, rows: Sequence[InputRow], *, retry_refused: bool = False) -> list[State | None]:
        """Return what staging would find for each row: a state, or None for a new target or an invalid row.

        A refused target that the row would reopen, because it asks for something else, counts as pending.
        """

    def mailed_of(self, rows: Sequence[InputRow]) -> list[str | None]:
        """Return the reason with which each valid row's target was cancelled; None for one that we did not cancel."""

    def find_targets(self, appointment_id: str) -> list[Work]:
        """Return the targets of one appointment."""

    def history(self, target_id: int) -> list[HistoryLine]:
        """Return all events of a target."""

    def all_events(self) -> Iterator[tuple[object, ...]]:
        """Iterate over the whole history, for export: target, run id, event, attempt, time, status, detail."""

    def runs(self, run_id: str = "", limit: int = 20) -> list[RunRecord]:
        """Return the newest runs first, or the one with this id."""

    def concerns(self, run_no: int) -> Mapping[Concern, int]:
        """Count the run's rows that need a person; a target that several rows name is paid or warned of once."""

    def concerning_rows(self, run_no: int, concern: Concern, limit: int) -> list[RowRecord]:
        """Return the first rows of the run that `concerns` counts, in row order."""

    def send_span(self, run_no: int) -> tuple[float, float] | None:
        """Return when the run's first and last sends began, seconds since the epoch; None when it sent nothing.

        An intent whose record says that no byte of it left is no send.
        """

    def sends(self, run_no: int, since: float, width_s: float) -> list[tuple[int, int]]:
        """Count the run's sends, as `send_span`, per interval of `width_s` after `since`: (number of it, sends)."""

    def load_pace(self, credential: str) -> PaceRecord | None:
        """Return the limiter's state as last written for a credential's fingerprint."""

    def bind(self, key: str, value: str) -> str:
        """Write a fact about the ledger (`api_url`, `company_id`) unless it has one; return the one that it has."""

    def meta(self, key: str) -> str | None:
        """Return a fact about the ledger; None when it was never written."""

    def verify(self) -> list[str]:
        """Check everything: pages, chain of digests, states against the history. Return what is wrong, in sentences."""

    def newest_event(self) -> tuple[int, str]:
        """Return the newest event's number and the digest of its link; 0 and zeros when there is no event.

        In a database the link covers the events of the same chunk, in a file all events before it.
        """

    def namings(self, appointment_id: str, limit: int) -> list[Naming]:
        """Return the first rows of all runs that name a target of one appointment, in the order of runs and rows."""

    def health(self, *, pages: bool) -> Health:
        """Return the ledger's condition; with `pages` every page is checked, which takes time in a large one."""

    def backup(self, to: Path) -> None:
        """Copy the ledger to a new file, whole and consistent. Raises LedgerError where only the database can."""

    def close(self) -> None:
        """Close the ledger; a second time does nothing."""


def every_unknown(ledger: Ledger, scope: Scope | None = None) -> Iterator[Unknown]:
    """Yield every unknown target of a scope, or of the ledger, in the order of their ids; few are in memory at once."""
    after = 0
    while chunk := ledger.unknown(after, _AT_ONCE, scope):
        yield from chunk
        after = chunk[-1].work.target_id


class GuardError(Exception):
    """A target is not in the state that an entry expects: a bug, or a second writer."""
