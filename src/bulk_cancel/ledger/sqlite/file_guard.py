"""Notices when another process changes the files of an open ledger, and updates its high-water mark.

Only one process at a time has the ledger open for writing. So before each transaction its files have to be as the last
one left them: the same files, of the same size, changed at the same time. Writes to a deleted or replaced file would be
lost; a file that was truncated or overwritten in place would be mixed with pages from SQLite's cache. Checkpoints are
made here, between transactions: so the main file does not change within a transaction unless another process writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.high_water import Keeper, newest_event
from bulk_cancel.ledger.sqlite.connection import Connection

#: A checkpoint is due when the WAL has this many pages, as by SQLite's own default.
CHECKPOINT_PAGES = 1000
#: Device, inode, size and time of the last change; empty for a missing file.
Print = tuple[int, ...]


class FileGuard:
    """The files of one ledger, for as long as this process has it open for writing."""

    def __init__(self, path: Path, connection: Connection, keeper: Keeper | None) -> None:
        self._path = path
        self._connection = connection
        self._keeper = keeper
        self._newest = newest_event(connection.rows)
        self._names = (str(path), f"{path}-wal")
        self._main, self._wal = print_of(self._names[0]), print_of(self._names[1])
        self._pages = 0
        connection.set_wal_hook(self._committed)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise LedgerError when a file was changed before the block, or instead of an error to which a change led."""
        self.refuse_changed(whole=True)
        try:
            yield
        except Exception:
            self._wal = self.refuse_changed(whole=False)  # a rollback may leave pages in it
            raise

    def settle(self) -> None:
        """After a commit: note the files' new state, make a checkpoint when one is due, update the mark."""
        self._wal = self.refuse_changed(whole=False)
        if self._pages >= CHECKPOINT_PAGES:
            self._pages = 0
            self._checkpoint()
        newest = newest_event(self._connection.rows)
        if newest != self._newest:
            self._newest = newest
            if self._keeper:
                self._move(self._keeper)

    def _checkpoint(self) -> None:
        """Note the main file's new state also when the disk refuses a part of it, but never another file's state."""
        try:
            self._connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_PASSIVE)
        finally:
            main = print_of(self._names[0])
            if main[:2] == self._main[:2]:
                self._main = main

    def _move(self, keeper: Keeper) -> None:
        keeper.clear_answered(self._connection.rows)
        keeper.move(*self._newest, *self._main[2:])

    def heard(self, at: float, settle_s: float) -> None:
        """Note an unanswered cancel, as `Keeper.heard`; it is written with the next commit."""
        if self._keeper:
            self._keeper.heard(at, settle_s)

    def close(self) -> None:
        """Close the mark."""
        if self._keeper:
            self._keeper.close()

    def _committed(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def refuse_changed(self, *, whole: bool) -> Print:
        """Return the print of the WAL, or raise LedgerError when a file was replaced.

        `whole`: nor may the size and time of the WAL have changed. It may have grown where a transaction is open.
        """
        main, wal = print_of(self._names[0]), print_of(self._names[1])
        if main == self._main and (wal == self._wal if whole else wal[:2] == self._wal[:2]):
            return wal
        # Both files are kept as they are: a checkpoint on closing would write one into the other.
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        raise LedgerError(
            f"The ledger {self._path} was moved, deleted or replaced while in use, or another program wrote to it.",
            advice="Put it back, with its -wal, before anything else is sent: it holds what was intended.",
        )


def print_of(path: str) -> Print:
    """Return what identifies a file and its content."""
    try:
        status = os.stat(path)  # noqa: PTH116 - several times per commit
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
