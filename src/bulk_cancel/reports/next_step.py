"""What to do next, in a few sentences, with which a run ends."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from bulk_cancel.core.exit_codes import LEFT, Remains, decide_exit
from bulk_cancel.core.model import Status
from bulk_cancel.core.moments import Zone, show_due
from bulk_cancel.core.text import are_most, clean, counted
from bulk_cancel.errors import Exit
from bulk_cancel.ledger.port import RunRecord

#: For a run whose end is not recorded.
NOT_ENDED = "This run has not ended: it is still at work, or was interrupted."
_SAME = "run the same command again"
_NOTHING = "nothing was cancelled; "
#: The command that checks the days of a closure, and its option for everybody's appointments.
CHECKS, ALL_HOSTS = "closed", "--all-hosts"
#: The sentences of `_sentences` that send a person to `status`.
_SEE_STATUS = re.compile(r" ?[0-9,]+ (?:target|row)s? of earlier inputs [^`]*`[^`]*` tells (?:how|which)\.")

#: What a person does first, by what stopped the run.
_FIRST: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.BUG: "report this with the log, then ",
        Exit.USAGE: "correct the command line, then ",
        Exit.STOPPED: "",
        Exit.BAD_INPUT: "correct the input, then ",
        Exit.NO_INPUT: "check the name of the input, then ",
        Exit.UNREACHABLE: f"{_NOTHING}check the network and the address of the API (MEETERGO_API_URL), then ",
        Exit.CANNOT_CREATE: "check the folder of the ledger, or name another place with --ledger, then ",
        Exit.DISK: "make room on the disk, or mend it, then ",
        Exit.LOCKED: "wait until the other run has ended, then ",
        Exit.CREDENTIAL: "check {credential} and the user id, then ",
        Exit.CONFIG: "correct the setting, then ",
        Exit.INTERRUPTED: "",
    }
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    remains: Remains
    exit_code: Exit
    elsewhere: Remains = field(default_factory=partial(Remains, {}))  #: what other inputs left open in the ledger
    due_at: float | None = None  #: when all unknown targets can be settled, seconds since the epoch; None: now
    halt: str = ""  #: what stopped the run, a sentence
    credential: str = "the credential"  #: where a person finds the credential that was used
    expired_in: str = ""  #: the folder of the results, if the plan that was carried out has expired
    ledger: str = ""  #: where the ledger is; empty: the usual one
    run: RunRecord | None = None  #: the run; None: not known
    left_by: str = ""  #: the id of the newest run that left targets to be sent; empty: not known
    out: str = ""  #: the folder of its results
    zone: Zone = None  #: of times for people

    @property
    def again(self) -> str:
        """The command of the run, as it is typed; empty: not known."""
        return self.run.provenance.command if self.run else ""


def next_step(ending: Ending) -> str:
    """Return what to do next; a command to type again is on a line of its own."""
    sentences = [*_sentences(ending)]
    said = " ".join(map(_capital, sentences))
    goes_on = any(_SAME in sentence for sentence in sentences)
    again = [typed(ending.again)] if goes_on and ending.again else []
    return "\n".join((said, *again, *_corrected(ending)))


def typed(command: str, when: str = "") -> str:
    """Return the line that says what to type, with a hint when a secret was left out of the command."""
    hidden = " (*** is a secret that is not recorded)" if "***" in command else ""
    return f"Type{when}{hidden}: {command}"


def command(words: str, ledger: str) -> str:
    """Return a command about a ledger as it is typed."""
    return f"bulk-cancel {words} --ledger {shlex.quote(ledger)}" if ledger else f"bulk-cancel {words}"


def closing_steps(closure: str, *, sent: bool = False) -> tuple[str, ...]:
    """Return what to do for a closure besides its cancels: before them, and after them.

    `closure` is the command that checks its days, or empty; a command to type is on a line of its own. `sent`: who
    reads this reads it after the cancels.
    """
    if not closure:
        return ()
    block = "Block the day now, if it is not blocked yet," if sent else "Block the day first,"
    first = f"{block} in the dashboard: a slot that is cancelled can be booked again at once."
    then = "Then check whether the days are closed."
    if closure.endswith(f"bulk-cancel {CHECKS}"):
        how = f"with `bulk-cancel {CHECKS}` and the options that `find` had"
        return (
            first,
            f"{then[:-1]}, {how}. The zone of the days is not known: with --timezone the command is told here.",
        )
    narrow = " This checks all hosts. If `find` was given --location, --host or the like, add it."
    return first, f"{then}{narrow if ALL_HOSTS in closure else ''}\n{typed(closure)}"


def _sentences(ending: Ending) -> Iterator[str]:
    remains = ending.remains
    if ending.halt:
        yield ending.halt
    if ending.expired_in:
        yield from _plan_anew(ending)
    elif ending.exit_code in _FIRST and not _is_for_others(ending):
        yield _go_on(ending)
    elif ending.exit_code is Exit.UNKNOWN and remains.for_reads:
        yield _look_again(ending)
    yield from _for_a_person(ending)
    if remains.sendable:
        were = counted(remains.sendable, "cancel was", "cancels were")
        yield f"{were} not applied and may be sent again: run the input that names {_them(remains.sendable)}."
        if ending.left_by:
            yield unnamed(ending.left_by, ending.ledger)
    elif ending.exit_code is Exit.OK or (not ending.halt and decide_exit(remains) is Exit.OK):
        yield _done(ending)
    yield from told_elsewhere(ending.elsewhere, ending.ledger, _after(ending))
    if to_send := ending.elsewhere.count(Status.PENDING):
        targets = counted(to_send, "target of earlier inputs is", "targets of earlier inputs are")
        yield f"{targets} still to be sent: `{command('status', ending.ledger)}` tells how."
    if rows := ending.elsewhere.to_correct:
        need = counted(rows, "row of earlier inputs needs", "rows of earlier inputs need")
        yield f"{need} a person: `{command('status', ending.ledger)}` tells which."


def beside_status(told: str) -> str:
    """Return what a run told at its end without what it said of other inputs: `status` says that as it is now."""
    return _SEE_STATUS.sub("", told)


def told_of(run: RunRecord, left: Remains, out: str) -> str:
    """Return what an earlier run left to a person, and what to type."""
    ending = Ending(left, Exit.REFUSED_ROWS, run=run, out=out)
    said = " ".join(map(_capital, _for_a_person(ending)))
    return "\n".join((f"Of the run {run.run_id} ({clean(run.source)}): {said}", *_corrected(ending)))


def unnamed(run_id: str, ledger: str) -> str:
    """Return how the unsent rows of a run are sent when its input, such as a search, names them no more."""
    folder = f"left-{run_id}"
    report = command(f"report {run_id} --out {folder}", ledger)
    return f"Where no input names a row any more, `{report}` writes {folder}/unprocessed.csv, which does: run that."


def told_elsewhere(elsewhere: Remains, ledger: str, after: str = "") -> Iterator[str]:
    """Yield what earlier inputs left without a known outcome, and what to type; `after` says when, if not now."""
    if elsewhere.for_reads:
        reconcile = command("reconcile", ledger)
        yield f"Cancels of earlier inputs have no known outcome. To look them up{after}, type: {reconcile}"
    if elsewhere.undecided:
        decide = command("resolve", ledger)
        yield f"Cancels of earlier inputs can be settled by no read: a person decides, with `{decide}`."


def _is_for_others(ending: Ending) -> bool:
    """Whether running the same command again would not help, and other sentences say what to do."""
    remains = ending.remains
    goes_on = ending.exit_code is not Exit.STOPPED or remains.count(Status.PENDING) or remains.for_reads
    return not goes_on and bool(remains.for_a_run or remains.for_a_person)


def _plan_anew(ending: Ending) -> Iterator[str]:
    """Yield what to do when the plan has expired: read what is unknown, and plan the remaining rows again."""
    remains, folder = ending.remains, ending.expired_in
    first = _FIRST.get(ending.exit_code, "").format(credential=ending.credential)
    if first:
        yield f"{first.removesuffix(', then ')}."
    if remains.for_reads:
        yield (
            f"{_without_outcome(remains.for_reads)}: look {_them(remains.for_reads)} up{_after(ending)} with "
            f"`{command('reconcile', ending.ledger)}`, then write the files again with "
            f"`{command('report', ending.ledger)}`."
        )
    statuses = {"unprocessed.csv": Status.PENDING, "failed.csv": Status.FAILED}
    files = [name for name, status in statuses.items() if remains.count(status)]
    if files or remains.for_reads:
        names = " and ".join(f"{folder}/{name}" for name in files or ["unprocessed.csv"])
        have = "have" if len(files) > 1 else "has"
        left = (
            f", which {have} the {_rows(remains.count(*LEFT))} still to be sent" if files else ", if it is there then"
        )
        yield f"the plan has expired and cannot be run any more: make a plan of {names}{left}, and run that."


def _go_on(ending: Ending) -> str:
    pending, reads = ending.remains.count(Status.PENDING), ending.remains.for_reads
    looks = f"; {_without_outcome(reads)}, it looks before it sends" if reads else ""
    if pending and ending.exit_code is Exit.STOPPED and not ending.halt:
        if ending.due_at is None:
            return f"{_rows(pending)} {'is' if pending == 1 else 'are'} still to be sent: {_SAME}{looks}."
        wait = "waits" if pending == 1 else "wait"
        return f"{_rows(pending)} {wait} for an earlier cancel that may still take effect; {_SAME}{_after(ending)}."
    first = _FIRST[ending.exit_code].format(credential=ending.credential)
    first = first.removeprefix(_NOTHING) if ending.halt else first  # which says so itself
    aim = f" to go on with {_rows(pending)}" if pending else ""
    return f"{first}{_SAME}{aim}{looks}."


def _look_again(ending: Ending) -> str:
    pending = ending.remains.count(Status.PENDING)
    also = f", and goes on with {_rows(pending)}" if pending else ""
    unknown = _without_outcome(ending.remains.for_reads)
    return f"{unknown}; {_SAME}{_after(ending)}, it looks before it sends{also}."


def _after(ending: Ending) -> str:
    return "" if ending.due_at is None else f" after {show_due(ending.due_at, ending.zone)}"


def _for_a_person(ending: Ending) -> Iterator[str]:
    remains = ending.remains
    if remains.undecided:
        outcomes = counted(remains.undecided, "unknown outcome")
        decide = command("resolve", ending.ledger)
        yield f"no read can settle {outcomes}, unknown.csv says why: a person decides, with `{decide}`."
    failed = remains.count(Status.FAILED)
    if failed and not ending.expired_in:
        yield f"{_SAME} to try {_rows(failed)} that could not be sent."
    if files := {name: _path(ending, name) + rows for name, rows in _files_to_correct(remains)}:
        yield f"correct {' and '.join(files.values())} and {how_again(ending.run)} {_them(len(files))} as a new input."
        if how_again(ending.run) == "plan" and "invalid.csv" in files:
            yield "give --reason, --cancel-all and --account as for the first plan: invalid.csv does not hold them."
        if are_most(remains.count(Status.INVALID), sum(remains.counts.values())):
            asked = "is the column of the appointment ids the right one? (--map appointment_id=COLUMN)"
            yield f"most rows are invalid: {asked}."
        if ending.run and ending.run.source.startswith("["):
            yield "such an input takes the place of [select] in a copy of the job file."
    if remains.changed:
        what = counted(remains.changed, "row is", "rows are")
        yield f"{what} not what was approved any more, results.csv says why: plan {_them(remains.changed)} again."
    if remains.warned:
        of = counted(remains.warned, "cancellation")
        them = _them(remains.warned)
        yield f"an after-effect of {of} went wrong, results.csv says which: look at {them} in meetergo."


def how_again(run: RunRecord | None) -> str:
    """Return the command that takes corrected rows: after the run of a plan they are planned, and approved again."""
    return "plan" if run and run.provenance.plan_digest else "run"


def _files_to_correct(remains: Remains) -> Iterator[tuple[str, str]]:
    """Yield the files with rows to correct. (failed.csv also has failed rows, which the same command takes up.)"""
    refused, failed = remains.count(Status.REJECTED, Status.NOT_FOUND), remains.count(Status.FAILED)
    if refused:
        yield "failed.csv", f" ({refused:,} of {_rows(refused + failed)})" if failed else f" ({_rows(refused)})"
    if invalid := remains.count(Status.INVALID):
        yield "invalid.csv", f" ({_rows(invalid)})"


def _path(ending: Ending, name: str) -> str:
    return clean(_seen_from_here(Path(ending.out) / name), 600) if ending.out else name


def _seen_from_here(path: Path) -> str:
    return str(path.relative_to(here) if path.is_relative_to(here := Path.cwd()) else path)


def _corrected(ending: Ending) -> Iterator[str]:
    """Yield what to type for each file once its rows are corrected: the command of the run, but for its input."""
    run, names = ending.run, [name for name, _ in _files_to_correct(ending.remains)]
    for name in names:
        if run is None or not ending.out:
            return
        out = Path(ending.out).absolute()
        # Absolute: who reads this in a mail or a log does not know the folder of the run.
        new_out = "" if out.name == run.run_id else str(Path(f"{out}-{Path(name).stem}"))
        if command := run.provenance.command_for(str(out / name), run.source, new_out):
            yield typed(command, f", once {name if len(names) > 1 else 'it'} is corrected")


def _done(ending: Ending) -> str:
    elsewhere, skipped = ending.elsewhere, ending.remains.count(Status.SKIPPED)
    of_it = "" if elsewhere.is_done else " of this input"
    rows = f"; {counted(skipped, 'row was', 'rows were')} skipped" if skipped else ""
    return f"done: nothing{of_it} is left to do{rows}."


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _without_outcome(count: int) -> str:
    return f"{counted(count, 'row has', 'rows have')} no known outcome"


def _rows(count: int) -> str:
    return counted(count, "row")


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
