"""Notices when the files of an open ledger are changed by anybody else, and moves its high-water mark on.

Who has the ledger open for writing is the only one who writes it. So its files have to be, before each transaction,
what the last one left: the same files, of the same size, changed at the same time. A deleted or exchanged file would
take every write and keep none; one that was cut or written over in place would be repaired here and there from pages
that SQLite remembers, and be no history at all. Checkpoints are made here, between transactions: so the main file does
not change within one, either, and what changes it was somebody else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import apsw

from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.high_water import Keeper, Seen, Unanswered
from bulk_cancel.ledger.sqlite import integrity

#: A checkpoint is due when the WAL has this many pages, as by SQLite's own default.
CHECKPOINT_PAGES = 1000
#: Device, inode, size, time of the last change; none for a file that is not there.
Print = tuple[int, ...]


class FileGuard:
    """The files of one ledger, for as long as this process has it open for writing."""

    def __init__(self, path: Path, connection: apsw.Connection, sql: Mapping[str, str], keeper: Keeper | None) -> None:
        self._path = path
        self._connection = connection
        self._sql = sql
        self._keeper = keeper
        self._newest = integrity.newest(connection, sql)
        self._names = (str(path), f"{path}-wal")
        self._main, self._wal = print_of(self._names[0]), print_of(self._names[1])
        self._pages = 0
        connection.set_wal_hook(self._committed)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Refuse to begin when a file was changed, and tell of that instead of what it leads to."""
        self._refuse_changed(whole=True)
        try:
            yield
        except Exception:
            self._wal = self._refuse_changed(whole=False)  # of what was rolled back some pages may remain
            raise

    def settle(self) -> None:
        """Take what a commit made of the files for ours, make the checkpoint that is due, move the mark on."""
        self._wal = self._refuse_changed(whole=False)
        if self._pages >= CHECKPOINT_PAGES:
            self._pages = 0
            self._connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._main = print_of(self._names[0])
        newest = integrity.newest(self._connection, self._sql)
        if newest != self._newest:
            self._newest = newest
            if self._keeper:
                self._move(self._keeper)

    def _move(self, keeper: Keeper) -> None:
        if not self._connection.execute(self._sql["is_open"]).fetchall()[0][0]:
            keeper.unanswered = Unanswered()
        keeper.move(Seen(*self._newest, keeper.unanswered, *self._main[2:]))

    def heard(self, at: float, settle_s: float) -> None:
        """As `Keeper.heard` says; on record with the commit that follows."""
        if self._keeper:
            self._keeper.heard(at, settle_s)

    def close(self) -> None:
        """Let go of the mark; after a checkpoint on closing the main file is another."""
        if self._keeper:
            self._keeper.close()

    def refuse_changed(self) -> None:
        """Raise LedgerError when a file is another one. The WAL may have grown: a transaction may have begun."""
        self._refuse_changed(whole=False)

    def _committed(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _refuse_changed(self, *, whole: bool) -> Print:
        """Return what the WAL is now."""
        main, wal = print_of(self._names[0]), print_of(self._names[1])
        if main == self._main and (wal == self._wal if whole else wal[:2] == self._wal[:2]):
            return wal
        # What is left of both files is kept as it is: a checkpoint on closing would write the one into the other.
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        raise LedgerError(
            f"The ledger {self._path} was moved, deleted or replaced while in use, or somebody else wrote to it.",
            advice="Put it back, with its -wal, before anything else is sent: it holds what was intended.",
        )


def print_of(path: str) -> Print:
    """Return what identifies a file and its content; of the time, Windows tells late: there the size has to do."""
    try:
        status = os.stat(path)  # noqa: PTH116 - several times per commit
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns if os.name == "posix" else 0
