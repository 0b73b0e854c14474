"""Reads a plan file. It is verified as a whole before any of it is used, and again each time its lines are read."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import IO, Final

from bulk_cancel.core.actions import NOTHING_EXPECTED, SENT, Action, Approved
from bulk_cancel.core.model import InputRow, Target
from bulk_cancel.core.moments import show_moment, widened
from bulk_cancel.core.plan import LookSummary, target_of
from bulk_cancel.errors import InputMissingError, PlanError, UsageError
from bulk_cancel.plan_files.fields import MalformedError
from bulk_cancel.plan_files.format import (
    FORMAT,
    LONGEST_LINE,
    VERSION,
    PlanHeader,
    PlannedLine,
    closing_line,
    decode,
    encode,
    header_record,
    read_header,
    read_line,
    read_strictly,
    refuse_other_spelling,
)

_BLOCK: Final = 1 << 20
_CLOSING: Final = re.compile(rb'\{"digest":"([0-9a-f]{64})"\}\n')
_CLOSING_SIZE: Final = len(closing_line("0" * 64))
_APPROVED: Final = re.compile(r"[0-9a-f]{64}")
_BEGINNING: Final = encode({"format": FORMAT})[:-2]
_AGAIN: Final = "Make a new plan with `bulk-cancel plan … -o FILE`, and have it approved again."


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A verified plan file. Its lines are read from the disk each time.

    Every method that reads raises PlanError at the end if the file was changed since it was opened: act on its lines
    only when all were read.
    """

    path: Path
    header: PlanHeader
    digest: str  #: of the whole content: what a person approves

    def lines(self) -> Iterator[PlannedLine]:
        """Yield the lines."""
        return _parsed(self, lambda line: read_line(decode(line)))

    def look(self, approved: Iterable[Approved]) -> LookSummary:
        """Return what the plan's readings have shown of the rows to be cancelled, given what `approved` yields."""
        header = self.header
        look = LookSummary(paid=header.paid, recorded=(header.mailed, header.mailed_again))
        look.unseen = header.actions.get(Action.CANCEL, 0)
        for one in approved:
            if one.action is Action.CANCEL:
                look.unseen -= 1
                look.hosts.update(one.seen.host_ids or ())
                look.starts = widened(look.starts, one.seen.start)
        return look

    def rows(self, chunk: int = 50_000) -> Iterator[list[InputRow]]:
        """Yield all rows, which a run stages, `chunk` at a time; also rows of targets that are skipped."""
        rows: list[InputRow] = []
        for line in self.lines():
            rows.append(line.row)
            if len(rows) == chunk:
                yield rows
                rows = []
        if rows:
            yield rows

    def approved(
        self, look_at: Callable[[PlannedLine], object] = lambda _: None
    ) -> Iterator[tuple[int, Target, Approved]]:
        """Yield each row whose target is skipped, or whose appointment was read, with what was approved.

        `look_at` is called with every line on the way.
        """
        for line in self.lines():
            look_at(line)
            is_target = line.action not in (Action.SAME, Action.INVALID)
            if is_target and (line.action not in SENT or line.planned != NOTHING_EXPECTED):
                yield (
                    line.row.row,
                    target_of(line.row),
                    Approved(line.action, line.why, line.planned, line.is_for_a_group),
                )


def is_plan(source: str) -> bool:
    """Return whether a run's source is a plan file, by its name or its first bytes."""
    return source.endswith(".plan") or holds_plan(Path(source))


def holds_plan(path: Path) -> bool:
    """Return whether a file begins like a plan file."""
    try:
        with open(path, "rb", opener=_never_waiting) as file:
            return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and file.read(len(_BEGINNING)) == _BEGINNING
    except (OSError, ValueError):
        return False


def open_plan(path: Path, *, now: float, expect_digest: str | None = None, ignore_expiry: bool = False) -> PlanFile:
    """Verify a plan file as a whole. `expect_digest` is the whole approved digest.

    Raises PlanError when it is not a plan, damaged, of another version, not the approved one, or expired at `now`;
    InputMissingError when it does not exist; UsageError when `expect_digest` is not a digest.
    """
    header = _read_header(path)
    plan = PlanFile(path, header, _verified_digest(path))
    if expect_digest is not None:
        _refuse_unapproved(plan, expect_digest)
    _refuse_miscounted(plan)
    if header.expired(now) and not ignore_expiry:
        raise PlanError(f"The plan {path} expired at {show_moment(header.expires_at, header.zone)}.", advice=_AGAIN)
    return plan


def zone_of_plan(path: Path) -> tzinfo | None:
    """Return the zone of a plan's times for people; None for any other file, or a plan without one."""
    with suppress(PlanError, InputMissingError):
        return _read_header(path).zone if is_plan(str(path)) else None
    return None


def _read_header(path: Path) -> PlanHeader:
    with _opened(path) as file:
        line = file.readline(LONGEST_LINE)
    try:
        record = decode(line)
    except MalformedError as error:
        raise PlanError(f"{path} is not a plan, or is damaged: its first line is not the header of a plan.") from error
    if record.get("format") != FORMAT:
        raise PlanError(f"{path} is not a plan, or is damaged: its first line does not say {FORMAT!r}.")
    if record.get("version") != VERSION:
        raise PlanError(
            f"{path} is a plan of another version than {VERSION}, the one that this program reads, or is damaged.",
            advice="Carry it out with the version of bulk-cancel that wrote it, or plan again.",
        )
    with _malformed(path, 1):
        header = read_header(record)
        refuse_other_spelling(line, header_record(header))
        return header


def _verified_digest(path: Path) -> str:
    with _opened(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _CLOSING_SIZE))
        closing = _CLOSING.fullmatch(file.read())
        if closing is None:
            raise _damaged(path, "its last line is not its digest, so something is cut off, added or changed")
        file.seek(0)
        digest = _digest_of(file, size - _CLOSING_SIZE)
    if digest != closing[1].decode():
        raise _damaged(path, "its content does not have the digest in its last line")
    return digest


def _digest_of(file: IO[bytes], size: int) -> str:
    hashed = hashlib.sha256()
    while size > 0 and (block := file.read(min(size, _BLOCK))):
        hashed.update(block)
        size -= len(block)
    return hashed.hexdigest()


def _refuse_unapproved(plan: PlanFile, expected: str) -> None:
    approved = expected.strip().lower().removeprefix("sha256:")
    if not _APPROVED.fullmatch(approved):
        raise UsageError(
            "--expect-digest is not the whole digest of a plan, which has 64 hexadecimal digits.",
            advice="Give it as `bulk-cancel show` prints it: a plan with the same first digits can be made in minutes.",
        )
    if plan.digest != approved:
        raise PlanError(
            f"{plan.path} is not the approved plan: its digest is {plan.digest}, and {approved} was approved.",
            advice="Compare both with `bulk-cancel show`. Nothing was sent.",
        )


def _refuse_miscounted(plan: PlanFile) -> None:
    """Read all lines and raise PlanError for a wrong one, before anything is done."""
    actions: Counter[Action] = Counter()
    last = -1
    for line in _parsed(plan, read_strictly):
        if line.row.row <= last:
            raise _damaged(plan.path, f"row {line.row.row} comes after row {last}")
        last = line.row.row
        actions[line.action] += 1
    if actions != Counter(plan.header.actions) or actions.total() != plan.header.rows:
        raise _damaged(plan.path, "its lines are not those that its header counts")


def _parsed(plan: PlanFile, parse: Callable[[bytes], PlannedLine]) -> Iterator[PlannedLine]:
    for number, line in enumerate(_lines(plan.path, plan.digest), 1):
        if number > 1:
            with _malformed(plan.path, number):
                yield parse(line)


def _lines(path: Path, digest: str) -> Iterator[bytes]:
    """Yield all lines but the last; at the end raise PlanError unless their digest is `digest`."""
    hashed = hashlib.sha256()
    with _opened(path) as file:
        while (line := file.readline(LONGEST_LINE)) and not _CLOSING.fullmatch(line):
            hashed.update(line)
            yield line
        more = file.read(1)
    if line != closing_line(digest) or more or hashed.hexdigest() != digest:
        raise _damaged(path, "it was changed while it was in use")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with open(path, "rb", opener=_never_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PlanError(f"{path} is not a file.")
            yield file
    except FileNotFoundError as error:
        raise InputMissingError(f"There is no plan {path}.", advice="Check the name and the current folder.") from error
    except OSError as error:
        raise PlanError(f"The plan {path} cannot be read: {error.strerror or error}.") from error


def _never_waiting(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


@contextmanager
def _malformed(path: Path, number: int) -> Iterator[None]:
    try:
        yield
    except MalformedError as error:
        raise _damaged(path, f"line {number}: {error}") from error


def _damaged(path: Path, how: str) -> PlanError:
    return PlanError(f"The plan {path} is damaged: {how}.", advice=f"Nothing was sent. {_AGAIN}")
