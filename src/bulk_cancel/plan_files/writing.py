"""Writes a plan file: whole or not at all, and in flat memory.

The header counts the lines that follow it, so the lines are written to a temporary file first.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bulk_cancel.core.actions import Action
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.errors import PlanWriteError
from bulk_cancel.ops.private_files import refuse_open_folder, replaced
from bulk_cancel.plan_files.fields import READ_AS, MalformedError
from bulk_cancel.plan_files.format import (
    PlanHeader,
    closing_line,
    decode,
    encode,
    header_record,
    line_record,
    options_digest,
    read_header,
    read_line,
)

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class PlanAbout:
    """The header without the counts. Times in seconds since the epoch."""

    created_at: float
    expires_at: float
    api_url: str
    input: str  #: the input's name
    input_digest: str  #: sha256
    options: Mapping[str, object]  #: the settings that decide what the plan does: JSON values only
    ticket: str = ""
    approved_by: str = ""
    timezone: str = ""  #: the name of the zone of its times for people; empty: it has none


@dataclass(slots=True)
class PlanDraft:
    """A plan file that is being written."""

    path: Path
    about: PlanAbout
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

    def header(self) -> PlanHeader:
        """Return the header for the lines so far."""
        about = self.about
        return PlanHeader(
            created_at=about.created_at,
            expires_at=about.expires_at,
            api_url=about.api_url,
            input=about.input,
            input_digest=about.input_digest,
            options_digest=options_digest(about.options),
            rows=self._actions.total(),
            actions=dict(self._actions),
            ticket=about.ticket,
            approved_by=about.approved_by,
            timezone=about.timezone,
            read_as={name: value for name in READ_AS if (value := about.options.get(name))},
            retry_refused=about.options.get("retry_refused") is True,
        )

    def put_in_place(self) -> None:
        """Give the file its name. Raises PlanWriteError, and then the earlier file of this name is still there."""
        first = encode(header_record(self.header()))
        read_header(decode(first))
        with _disk(self.path), replaced(self.path) as file:
            self._body.seek(0)
            self.digest = _write(file, first, self._body)


@contextmanager
def writing_plan(path: Path, about: PlanAbout) -> Iterator[PlanDraft]:
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


def write_plan(path: Path, about: PlanAbout, lines: Iterable[PlanLine]) -> str:
    """Write a plan file from all of its lines and return its digest. Raises PlanWriteError."""
    with writing_plan(path, about) as draft:
        for line in lines:
            draft.add(line)
    return draft.digest


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
