"""How a run ends: what halted it, and the exit code that its rows deserve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bulk_cancel.core.model import Status
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


def decide_exit(counts: Mapping[Status, int], halt: Halt | None, *, only_a_person: bool = False) -> Exit:
    """Return the exit code for rows counted by status.

    A drain that came when nothing was left to send is no early stop: then the rows decide. `only_a_person`: no later
    run can settle any of the unknown outcomes.
    """
    left = any(counts.get(status, 0) for status in LEFT)
    if halt is not None and (halt.exit_code is not Exit.STOPPED or left or halt.for_a_person):
        return halt.exit_code
    unknown = counts.get(Status.UNKNOWN, 0)
    if unknown and not only_a_person:
        return Exit.UNKNOWN
    if left:
        return Exit.STOPPED
    return Exit.REFUSED_ROWS if unknown or any(counts.get(status, 0) for status in BAD) else Exit.OK


def exceeds(errors: int, total: int, allowed: str) -> bool:
    """Whether `errors` of `total` targets are more than `allowed`: a number, a percentage such as `5%`, or empty."""
    if not allowed:
        return False
    if allowed.endswith("%"):
        return errors * 100 > float(allowed[:-1]) * total
    return errors > int(allowed)
