"""Opens, creates, checks and migrates the ledger's SQLite file. Refuses what it does not understand.

Durability: WAL with synchronous=FULL. It costs one fsync per commit, and in a simulation of power cuts no acknowledged
commit was lost, where WAL with NORMAL loses many and a rollback journal with FULL a few. WAL needs SQLite 3.51.3 or
later (older ones can corrupt it); apsw brings its own, so the version does not depend on the machine.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from bulk_cancel.errors import LedgerCreateError, LedgerDiskError, LedgerError
from bulk_cancel.ledger.statements import schema

APPLICATION_ID = 0x62634C31  # "bcL1"
SCHEMA_VERSION = 1
#: Up to this size every page is checked on start; above, opening must not take minutes: `ledger verify` does it.
QUICK_CHECK_BYTES = 64 * 1024 * 1024
_HEADER = b"SQLite format 3\x00"
_DISK_ERRORS = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.NoLFSError, apsw.NoMemError)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, naming the file and what to do."""
    try:
        yield
    except _DISK_ERRORS as error:
        raise LedgerDiskError(
            f"The disk refused the ledger {path}: {error}.",
            advice="Free some space or mend the disk, then run the same command again; it goes on where it stopped.",
        ) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise _damaged(path, str(error)) from error
    except apsw.BusyError as error:
        raise LedgerDiskError(
            f"Another program keeps the ledger {path} locked: {error}.",
            advice="Close what has it open (a database browser?), then run the same command again.",
        ) from error


def _damaged(path: Path, what: str) -> LedgerError:
    return LedgerError(
        f"The ledger {path} is damaged: {what}.",
        advice="Nothing was sent. Restore the newest backup; `bulk-cancel ledger verify` tells whether it is whole.",
    )


def open_for_writing(path: Path) -> apsw.Connection:
    """Open the ledger, make it when there is none, bring an older one up to date.

    Raises LedgerError for a foreign, damaged or newer file, LedgerCreateError or LedgerDiskError when the disk refuses.
    """
    _refuse_odd_places(path)
    _create_file(path)
    with translated(path):
        _refuse_foreign(path)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.transaction_mode = "IMMEDIATE"
        try:
            _configure(connection)
            _check_pages(connection, path)
            _bring_up_to_date(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path) -> apsw.Connection:
    """Open an existing ledger without ever writing to it. Raises LedgerError as above, or when there is none."""
    if not path.exists():
        raise LedgerError(f"There is no ledger at {path}.", advice="Name it with --ledger, or run a job first.")
    with translated(path):
        _refuse_foreign(path)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5000)
        _refuse_version(connection, path)
    return connection


def _refuse_odd_places(path: Path) -> None:
    if path.is_symlink():
        raise LedgerError(
            f"The ledger {path} is a symbolic link.", advice="Name the file itself: a link can be turned."
        )
    parent = path.parent
    if parent.exists() and _others_may_write(parent.stat().st_mode):
        raise LedgerError(
            f"Everybody may write into {parent}, so anybody could replace the ledger there.",
            advice=f"Choose another folder, or: chmod o-w '{parent}'",
        )


def _others_may_write(mode: int) -> bool:
    """A sticky folder such as /tmp protects the files of others, as far as this goes."""
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _create_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600))
    except OSError as error:
        raise LedgerCreateError(
            f"The ledger {path} cannot be opened or created: {error.strerror}.",
            advice="Choose another place with --ledger, or mend the folder's permissions.",
        ) from error


def _refuse_foreign(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        return
    if header[:16] != _HEADER:
        raise LedgerError(
            f"{path} is not a ledger of bulk-cancel: not an SQLite file.", advice="Name another --ledger."
        )
    application_id = int.from_bytes(header[68:72], "big")
    if len(header) == 100 and application_id not in (APPLICATION_ID, 0):
        raise LedgerError(f"{path} belongs to another program.", advice="Name another --ledger.")


def _configure(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(5000)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "fullfsync = ON",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _check_pages(connection: apsw.Connection, path: Path) -> None:
    if path.stat().st_size <= QUICK_CHECK_BYTES:
        result = str(connection.execute("PRAGMA quick_check(1)").fetchall()[0][0])
        if result != "ok":
            raise _damaged(path, result.splitlines()[-1])


def _refuse_version(connection: apsw.Connection, path: Path) -> int:
    application_id = connection.pragma("application_id")
    version = int(connection.pragma("user_version"))
    if application_id != APPLICATION_ID:
        raise LedgerError(f"{path} is an SQLite file of another program.", advice="Name another --ledger.")
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {path} was written by a newer bulk-cancel: schema {version}, this one knows {SCHEMA_VERSION}.",
            advice="Update bulk-cancel; nothing was sent.",
        )
    return version


def _bring_up_to_date(connection: apsw.Connection, path: Path) -> None:
    is_new = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    version = 0 if is_new else _refuse_version(connection, path)
    if version == SCHEMA_VERSION:
        return
    if not is_new:
        backup(connection, path.with_name(f"{path.name}.schema-{version}.bak"))
    with connection:  # one transaction: a crash leaves the old schema or the new one
        for step in range(version + 1, SCHEMA_VERSION + 1):
            connection.execute(schema(step))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def backup(connection: apsw.Connection, to: Path) -> None:
    """Copy the ledger to the new file `to`, whole, also while a run writes. Raises LedgerError when `to` exists."""
    try:
        os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        raise LedgerError(f"{to} exists already.", advice="Name a new file for the backup.") from error
    target = apsw.Connection(str(to))
    try:
        with target.backup("main", connection, "main") as copying:
            while not copying.done:
                copying.step(1000)
    finally:
        target.close()
