"""The ledger in one SQLite file. See `port` for the contract and `open` for the durability setting."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

from bulk_cancel.core.model import Entry, InputRow, Scope
from bulk_cancel.core.states import UNANSWERED, State
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.port import Health, PaceUpdate, RunStart
from bulk_cancel.ledger.questions import Questions
from bulk_cancel.ledger.records import Row, scoped, staged_state
from bulk_cancel.ledger.sqlite import appending, integrity, staging
from bulk_cancel.ledger.sqlite.connection import Connection
from bulk_cancel.ledger.sqlite.create import backup
from bulk_cancel.ledger.sqlite.failures import translated
from bulk_cancel.ledger.sqlite.file_guard import FileGuard
from bulk_cancel.ledger.sqlite.open import close, open_for_reading, open_for_writing
from bulk_cancel.ledger.sqlite.recognise import how_older, place_of


class SqliteLedger(Questions):
    """One connection, one writer. Not for use by two threads at the same time."""

    def __init__(self, path: Path, connection: Connection, marks: Marks | None = None) -> None:
        super().__init__(marks)
        self.path = path
        self._connection = connection
        self._guard: FileGuard | None = None
        self._closed = False

    @classmethod
    def open(cls, path: Path, marks: Marks | None = None) -> Self:
        """Open the ledger at `path` for writing, creating it when there is none. Raises as `open_for_writing` does."""
        connection, notice, keeper = open_for_writing(path, marks)
        ledger = cls(path, connection, marks)
        ledger.notice, ledger._guard = notice, FileGuard(path, connection, keeper)
        return ledger

    @classmethod
    def open_to_read(cls, path: Path, marks: Marks | None = None) -> Self:
        """Open an existing ledger without changing a byte of it."""
        return cls(path, open_for_reading(path), marks)

    @property
    def place(self) -> str:
        """The path of the ledger, for people."""
        return str(self.path)

    @property
    def _marked_as(self) -> str:
        return place_of(self.path)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if not self._closed:
            self._closed = True
            if self._guard:
                self._guard.close()
            with translated(self.path):
                close(self._connection, self.path)

    # -- writing ------------------------------------------------------------------------------------------------------

    def append(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> None:
        with self._transaction():
            appending.append(self._connection, run_no, entries)
            at = max((entry.at for entry in entries if entry.event in UNANSWERED), default=None)
            if self._guard and at is not None:
                self._guard.heard(at, self._settle_s(run_no))
            for pace in paces:
                record = pace.record
                self._rows("save_pace", pace.credential, record.tat_at, record.tat_mono, record.boot_id)

    def begin_run(self, start: RunStart) -> int:
        with self._transaction():
            base = (start.base.boot_id, start.base.offset_s, start.settle_s)
            about = (start.source, start.input_digest, start.out, start.provenance.to_json())
            run_no = int(self._rows("begin_run", start.run_id, start.started_at, *base, *about)[0][0])
            integrity.seal_beginning(self._connection, run_no)
            return run_no

    def stage(self, run_no: int, rows: Sequence[InputRow], at: float, *, retry_refused: bool = False) -> None:
        with self._transaction():
            if staging.is_first(self._connection, run_no, rows):
                staging.stage_first(self._connection, run_no, rows)
            else:
                staging.make_key(self._connection)
                staging.stage_more(self._connection, (run_no, at, retry_refused), rows)
                integrity.seal(self._connection)

    def start_run(self, run_no: int) -> None:
        with self._transaction():
            staging.complete(self._connection)
            self._rows("start_run", run_no)

    def end_run(self, run_no: int, at: float, summary: str) -> None:
        with self._transaction():
            self._rows("end_run", at, summary, run_no)

    def recover(self, run_no: int, at: float, scope: Scope | None = None) -> int:
        with self._transaction():
            self._rows("recover_events", *scoped(scope), run_no, at)
            recovered = self._connection.changes()
            self._rows("recover_targets", *scoped(scope))
            integrity.seal(self._connection)
        return recovered

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        watched = self._guard.watched() if self._guard else nullcontext()
        with watched, translated(self.path), self._connection:
            yield
        if self._guard:
            with translated(self.path):
                self._guard.settle()

    # -- reading ------------------------------------------------------------------------------------------------------

    def _ids(self, ids: Collection[str]) -> str:
        return json.dumps([*ids])

    def states_of(self, rows: Sequence[InputRow], *, retry_refused: bool = False) -> list[State | None]:
        if not staging.has_key(self._connection):
            return [None] * len(rows)  # nothing was ever sent
        return [self._state_of(row, retry_refused) if row.appointment_id else None for row in rows]

    def mailed_of(self, rows: Sequence[InputRow]) -> list[str | None]:
        if not staging.has_key(self._connection):
            return [None] * len(rows)
        found = (self._rows("mailed_of", row.appointment_id, row.attendee_id or "", row.entire_series) for row in rows)
        return [known[0][0] if known else None for known in found]

    def _state_of(self, row: InputRow, retry_refused: bool) -> State | None:
        found = self._rows("state_of", row.appointment_id, row.attendee_id or "", row.entire_series)
        return staged_state(row, found[0], retry_refused=retry_refused) if found else None

    def all_events(self) -> Iterator[Row]:
        with translated(self.path):
            yield from self._connection.named("all_events")

    def _wrong(self) -> list[str]:
        with translated(self.path):
            return integrity.verify(self._connection)

    def _how_older(self) -> tuple[str, str]:
        with translated(self.path):
            return how_older(self._connection, self.path)

    def health(self, *, pages: bool) -> Health:
        with translated(self.path):
            checked = self._connection.execute("PRAGMA quick_check(1)").fetchall() if pages else [("ok",)]
            fault = str(checked[0][0]).removeprefix("ok")
            ask = self._connection.pragma
            return Health(int(ask("user_version")), str(ask("journal_mode")), fault)

    def backup(self, to: Path) -> None:
        """Copy the ledger to a new file, whole and consistent."""
        with translated(to):
            backup(self._connection, to)

    def _rows(self, name: str, *values: Any) -> list[Row]:
        try:
            with translated(self.path):
                return self._connection.rows(name, *values)
        except BulkCancelError:
            if self._guard:
                self._guard.refuse_changed(whole=False)
            raise


def reading(path: Path, marks: Marks | None = None) -> closing[SqliteLedger]:
    """Open a ledger for reading, for the length of the block. Raises as `open_to_read` does."""
    return closing(SqliteLedger.open_to_read(path, marks))
