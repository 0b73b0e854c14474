"""What to do now, in a few sentences: the last thing a run says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bulk_cancel.core.model import Status
from bulk_cancel.core.moments import Zone, show_moment
from bulk_cancel.errors import Exit

_SAME = "run the same command again"

#: What a person does first, by what stopped the run.
_FIRST: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.BUG: "report this with the log, then ",
        Exit.USAGE: "correct the command line, then ",
        Exit.STOPPED: "",
        Exit.BAD_INPUT: "correct the input, then ",
        Exit.NO_INPUT: "check the name of the input, then ",
        Exit.UNREACHABLE: "nothing was cancelled; check the network and the address of the API, then ",
        Exit.CANNOT_CREATE: "check the folder of the ledger, or name another place with --ledger, then ",
        Exit.DISK: "make room on the disk, or mend it, then ",
        Exit.LOCKED: "let the other run come to its end, then ",
        Exit.CREDENTIAL: "check {credential} and the user id, then ",
        Exit.CONFIG: "correct the setting, then ",
    }
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    counts: Mapping[Status, int]  #: status -> rows
    exit_code: Exit
    due_at: float | None = None  #: when all unknown targets may be looked at, seconds since the epoch; None: now
    halt: str = ""  #: what stopped the run, a sentence
    undecided: int = 0  #: unknown targets that no read can settle
    sendable: int = 0  #: targets of earlier inputs that reads have just shown active
    credential: str = "the credential"  #: where a person finds the one that was used
    zone: Zone = None  #: in which the person reads times


def next_step(ending: Ending) -> str:
    """Say what to do now."""
    return " ".join(_capital(sentence) for sentence in _sentences(ending))


def closing_steps(closure: str) -> tuple[str, ...]:
    """Say what a closure wants besides its cancels, given the command that checks it; nothing where it is none."""
    if not closure:
        return ()
    first = "Block the day first, in the dashboard: a slot that is cancelled can be booked again at once."
    return first, f"Then check: {closure}"


def _sentences(ending: Ending) -> Iterator[str]:
    if ending.halt:
        yield ending.halt
    if ending.exit_code in _FIRST:
        yield _go_on(ending)
    elif ending.exit_code is Exit.UNKNOWN:
        yield _look_again(ending)
    yield from _for_a_person(ending)
    if ending.sendable:
        was = "1 cancel was" if ending.sendable == 1 else f"{ending.sendable:,} cancels were"
        yield f"{was} not applied and may be sent again: run the input that names {_them(ending.sendable)}."
    elif ending.exit_code is Exit.OK:
        yield _done(ending)


def _go_on(ending: Ending) -> str:
    pending, unknown = _count(ending, Status.PENDING), _count(ending, Status.UNKNOWN)
    stopped = "stopped early: " if ending.exit_code is Exit.STOPPED and not ending.halt else ""
    first = _FIRST[ending.exit_code].format(credential=ending.credential)
    aim = f" to go on with {_rows(pending)}" if pending else ""
    looks = f"; {_without_outcome(unknown)}, it looks before it sends" if unknown else ""
    return f"{stopped}{first}{_SAME}{aim}{looks}."


def _look_again(ending: Ending) -> str:
    pending = _count(ending, Status.PENDING)
    when = "" if ending.due_at is None else f" after {_minute(ending.due_at, ending.zone)}"
    also = f", and goes on with {_rows(pending)}" if pending else ""
    return f"{_without_outcome(_count(ending, Status.UNKNOWN))}; {_SAME}{when}, it looks before it sends{also}."


def _for_a_person(ending: Ending) -> Iterator[str]:
    if ending.undecided:
        outcomes = "1 unknown outcome" if ending.undecided == 1 else f"{ending.undecided:,} unknown outcomes"
        yield f"no read can settle {outcomes}, unknown.csv says why: a person decides, with `bulk-cancel resolve`."
    if failed := _count(ending, Status.FAILED):
        yield f"{_SAME} to try {_rows(failed)} that could not be sent."
    if files := list(_files_to_correct(ending)):
        yield f"correct {' and '.join(files)} and run {_them(len(files))} as a new input."


def _files_to_correct(ending: Ending) -> Iterator[str]:
    """What failed is in failed.csv, too, but is nothing to correct: the same command takes it up again."""
    refused, failed = _count(ending, Status.REJECTED, Status.NOT_FOUND), _count(ending, Status.FAILED)
    if refused:
        yield f"failed.csv ({refused:,} of {_rows(refused + failed)})" if failed else f"failed.csv ({_rows(refused)})"
    if invalid := _count(ending, Status.INVALID):
        yield f"invalid.csv ({_rows(invalid)})"


def _done(ending: Ending) -> str:
    skipped = _count(ending, Status.SKIPPED)
    if not skipped:
        return "done: nothing is left to do."
    return f"done: nothing is left to do; {_rows(skipped)} {'was' if skipped == 1 else 'were'} skipped."


def _count(ending: Ending, *statuses: Status) -> int:
    return sum(ending.counts.get(status, 0) for status in statuses)


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _without_outcome(count: int) -> str:
    return f"{_rows(count)} {'has' if count == 1 else 'have'} no known outcome"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _minute(at: float, zone: Zone) -> str:
    """Return the time, rounded up: a minute too late is patience, a minute too early is a run for nothing."""
    return show_moment(math.ceil(at / 60) * 60, zone)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
