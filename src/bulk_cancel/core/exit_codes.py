"""How a run ends: what halted it, and the exit code that follows from its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bulk_cancel.core.model import Status
from bulk_cancel.core.text import counted
from bulk_cancel.errors import Exit

#: Statuses of rows that a person has to look at or correct.
BAD = (Status.REJECTED, Status.NOT_FOUND, Status.INVALID)
#: Statuses of rows that the same command takes up again.
LEFT = (Status.PENDING, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a run stopped before its work was done."""

    exit_code: Exit
    message: str  #: a sentence
    for_a_person: bool = False  #: a person has to look at something, even when every row is settled


#: From the gravest on: of several halts the gravest decides how the run ends.
_GRAVITY = (
    Exit.BUG,
    Exit.DISK,
    Exit.CANNOT_CREATE,
    Exit.CONFIG,
    Exit.CREDENTIAL,
    Exit.LOCKED,
    Exit.UNREACHABLE,
    Exit.STOPPED,
)


def gravest(codes: Iterable[Exit]) -> Exit:
    """Return the gravest of some reasons to halt."""
    return min(codes, key=lambda code: _GRAVITY.index(code) if code in _GRAVITY else -1)


@dataclass(frozen=True, slots=True)
class Remains:
    """The rows that are open after a run, and those that a person has to look at, as the ledger knows them.

    Exit code, next step, status and report are all decided from this, so that they cannot contradict each other.
    """

    counts: Mapping[Status, int]  #: rows by status; of a reconcile: the ledger's open targets by status
    undecided: int = 0  #: unknown ones that no read can settle
    changed: int = 0  #: skipped ones that differ from what was approved
    warned: int = 0  #: cancelled ones whose after-effects went wrong
    sendable: int = 0  #: targets of earlier inputs that are proven not cancelled

    def count(self, *statuses: Status) -> int:
        """Return the number of rows with one of these statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)

    @property
    def for_reads(self) -> int:
        """Number of unknown outcomes that a later read may settle."""
        return self.count(Status.UNKNOWN) - self.undecided

    @property
    def for_a_run(self) -> int:
        """Number of rows and targets that a later run may send."""
        return self.count(*LEFT) + self.sendable

    @property
    def for_a_person(self) -> int:
        """Number of rows that a person has to look at, correct or decide."""
        return self.to_correct + self.undecided

    @property
    def to_correct(self) -> int:
        """Number of rows that a person has to look at or correct."""
        return self.count(*BAD) + self.changed + self.warned

    @property
    def is_done(self) -> bool:
        """Whether nothing is open."""
        return not (self.count(Status.UNKNOWN) or self.for_a_run or self.to_correct)


def decide_exit(remains: Remains, halt: Halt | None = None, elsewhere: Remains | None = None) -> Exit:
    """Return the exit code of what halted the run, or else the one that follows from its rows.

    A halt that stopped nothing, since every row was sent already, does not count: then the rows decide. Where they are
    done, an unknown outcome of another input (`elsewhere`) does: the same job may not name it any more.
    """
    if halt is not None and stands(halt, remains):
        return halt.exit_code
    if remains.for_reads:
        return Exit.UNKNOWN
    if remains.for_a_run:
        return Exit.STOPPED
    if elsewhere is not None and elsewhere.for_reads:
        return Exit.UNKNOWN
    is_for_a_person = remains.for_a_person or (elsewhere is not None and elsewhere.undecided)
    return Exit.REFUSED_ROWS if is_for_a_person else Exit.OK


def stands(halt: Halt, remains: Remains) -> bool:
    """Return whether a halt decides the exit code: it left rows, a person has to look, or it is no mere stop."""
    return bool(halt.exit_code is not Exit.STOPPED or remains.for_a_run or halt.for_a_person)


def exceeds(errors: int, total: int, allowed: str) -> bool:
    """Whether `errors` of `total` targets are more than `allowed`: a number, a percentage such as `5%`, or empty."""
    if not allowed:
        return False
    if allowed.endswith("%"):
        return errors * 100 > float(allowed[:-1]) * total
    return errors > int(allowed)


def too_many_refused(count: int) -> str:
    """Say that `exceeds` is true of the targets that were refused."""
    return f"{counted(count, 'target was', 'targets were')} refused, more than --max-errors allows."
