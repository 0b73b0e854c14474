"""Writes a plan file: whole or not at all, and in flat memory.

The header counts the lines that follow it, so the lines are written to a temporary file first.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from bulk_cancel.core.actions import Action
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.errors import PlanWriteError
from bulk_cancel.ops.private_files import refuse_open_folder, replaced
from bulk_cancel.plan_files.fields import MalformedError
from bulk_cancel.plan_files.format import (
    PlanHeader,
    closing_line,
    decode,
    encode,
    header_record,
    line_record,
    read_header,
    read_line,
)

_BLOCK = 1 << 20


@dataclass(slots=True)
class PlanDraft:
    """A plan file that is being written."""

    path: Path
    about: PlanHeader  #: without its counts
    digest: str = ""  #: to be approved; empty until the file is in its place
    _body: IO[bytes] = field(repr=False, kw_only=True)
    _actions: Counter[Action] = field(default_factory=Counter, repr=False, kw_only=True)
    _last_row: int = field(default=-1, repr=False, kw_only=True)

    def add(self, line: PlanLine) -> None:
        """Add the next line, in the order of rows. Raises PlanWriteError."""
        record = line_record(line)
        read_line(record)  # raises for a line that could not be read again
        if line.row.row <= self._last_row:
            raise MalformedError(f"row {line.row.row} does not come after row {self._last_row}")
        with _disk(self.path):
            self._body.write(encode(record))
        self._last_row = line.row.row
        self._actions[line.action] += 1

    def put_in_place(self) -> None:
        """Give the file its name. Raises PlanWriteError, and then the earlier file of this name is still there."""
        header = replace(self.about, rows=self._actions.total(), actions=self._actions)
        first = encode(header_record(header))
        read_header(decode(first))
        with _disk(self.path), replaced(self.path) as file:
            self._body.seek(0)
            self.digest = _write(file, first, self._body)


@contextmanager
def writing_plan(path: Path, about: PlanHeader) -> Iterator[PlanDraft]:
    """Yield a draft for lines; after the block the file is there, and `digest` says what to approve.

    Raises PlanWriteError. After any error in the block `path` is as it was.
    """
    with _disk(path):
        refuse_open_folder(path.parent)
        body = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed below, where a full disk may object
    try:
        draft = PlanDraft(path, about, _body=body)
        yield draft
        draft.put_in_place()
    finally:
        with suppress(OSError):
            body.close()


def _write(file: IO[bytes], first: bytes, body: IO[bytes]) -> str:
    hashed = hashlib.sha256(first)
    file.write(first)
    while block := body.read(_BLOCK):
        hashed.update(block)
        file.write(block)
    file.write(closing_line(hashed.hexdigest()))
    return hashed.hexdigest()


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlanWriteError(path, error) from error
