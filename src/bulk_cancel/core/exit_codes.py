"""How a run ends: what halted it, and the exit code that its rows deserve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bulk_cancel.core.model import Status
from bulk_cancel.core.text import counted
from bulk_cancel.errors import Exit

#: Rows that a person has to look at or correct.
BAD = (Status.REJECTED, Status.NOT_FOUND, Status.INVALID)
#: Rows that the same command goes on with.
LEFT = (Status.PENDING, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a run stopped before its work was done."""

    exit_code: Exit
    message: str  #: a sentence
    for_a_person: bool = False  #: somebody has to look at something, also where no row is left


#: The gravest first: of several halts it decides how the run ends.
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
    """What is open after a run, and what a person has to look at, as the ledger knows it.

    Exit code, next step, status and report are all decided from this, so that they cannot contradict each other.
    """

    counts: Mapping[Status, int]  #: status -> rows; of a reconcile the ledger's targets that are open
    undecided: int = 0  #: of the unknown ones, those that no read can settle
    changed: int = 0  #: of the skipped ones, those that are not what was approved any more
    warned: int = 0  #: of the cancelled ones, those whose after-effects went wrong
    sendable: int = 0  #: targets of earlier inputs that are proven not cancelled

    def count(self, *statuses: Status) -> int:
        """Return the number of rows with one of these statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)

    @property
    def for_reads(self) -> int:
        """How many unknown outcomes a later run may settle."""
        return self.count(Status.UNKNOWN) - self.undecided

    @property
    def for_a_run(self) -> int:
        """How many cancels a later run may send, if their outcomes are known."""
        return self.count(*LEFT) + self.sendable

    @property
    def for_a_person(self) -> int:
        """How many somebody has to look at, correct or decide."""
        return self.count(*BAD) + self.undecided + self.changed + self.warned


def decide_exit(remains: Remains, halt: Halt | None = None) -> Exit:
    """Return the exit code that the rows deserve, or what halted the run.

    A drain that came when nothing was left to send is no early stop: then the rows decide.
    """
    if halt is not None and (halt.exit_code is not Exit.STOPPED or remains.for_a_run or halt.for_a_person):
        return halt.exit_code
    if remains.for_reads:
        return Exit.UNKNOWN
    if remains.for_a_run:
        return Exit.STOPPED
    return Exit.REFUSED_ROWS if remains.for_a_person else Exit.OK


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
