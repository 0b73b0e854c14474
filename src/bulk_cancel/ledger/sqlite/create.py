"""Makes and copies a ledger's file, whole or not at all.

A new ledger is made under another name and renamed. So a ledger is never an empty file, and a file of zero bytes under
its name is a lost history, not a new ledger: starting anew would cancel everything a second time.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import closing
from pathlib import Path

import apsw

from bulk_cancel.errors import LedgerCreateError, LedgerError
from bulk_cancel.ledger.high_water import LEDGER_ID
from bulk_cancel.ledger.schema_version import SCHEMA_VERSION
from bulk_cancel.ledger.sqlite.connection import Connection
from bulk_cancel.ledger.sqlite.failures import DISK_ERRORS
from bulk_cancel.ledger.statements import statements
from bulk_cancel.ops.disk import sync
from bulk_cancel.ops.private_files import make_folder, refuse_open_folder

APPLICATION_ID = 0x62634C31  # "bcL1"
#: Key in `meta`: when a backup was made, seconds since the epoch.
BACKUP_AT = "backup_at"
_COMPANIONS = ("", "-journal", "-wal", "-shm")


def create(path: Path) -> None:
    """Make a new, empty ledger. The caller holds the run's lock, so no other process makes the same one."""
    try:
        for made in make_folder(path.parent):
            sync(made.parent)
        _make(path)
    except (OSError, *DISK_ERRORS) as error:
        raise _cannot_create(path, error) from error


def _cannot_create(path: Path, error: Exception) -> LedgerCreateError:
    why = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
    return LedgerCreateError(
        f"The ledger {path} cannot be created: {why}.",
        advice="Choose another place, free some space, or mend the folder's permissions.",
    )


def refuse_orphans(path: Path) -> None:
    """Refuse journals of a missing ledger: SQLite would apply them to a new one. Raises LedgerError."""
    for orphan in (Path(f"{path}-wal"), Path(f"{path}-journal")):
        if orphan.exists() and orphan.stat().st_size:
            raise LedgerError(
                f"The ledger {path} is gone, but {orphan.name} still holds a part of its history.",
                advice=f"Put the ledger back beside it. Only if nothing was ever sent from it, delete {orphan}.",
            )


def _make(path: Path) -> None:
    aside = path.with_name(f".{path.name}.new")
    _remove(aside)  # from a run that was killed here: SQLite would apply its journal to ours
    _touch(aside)
    with closing(Connection(str(aside))) as connection:
        # Before the rename: a later change of the mode would pass through a rollback journal, and a power cut may
        # bring back a deleted one.
        connection.pragma("journal_mode", "WAL")
        with connection:
            connection.execute(statements("sqlite")["create_tables"])
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA_VERSION)
            connection.rows("set_meta", LEDGER_ID, secrets.token_hex(16))
        _complete(connection)
    aside.replace(path)
    sync(path.parent)


def backup(connection: apsw.Connection, to: Path) -> None:
    """Copy the ledger to the new file `to`, whole, even while a run writes. Raises LedgerError when `to` exists."""
    try:
        _touch(to)
    except FileExistsError as error:
        raise LedgerError(f"{to} exists already.", advice="Name a new file for the backup.") from error
    except OSError as error:
        raise _cannot_create(to, error) from error
    try:
        _copy(connection, to)
    except BaseException:
        _remove(to)  # half a backup is worse than none
        raise


def _copy(connection: apsw.Connection, to: Path) -> None:
    with closing(apsw.Connection(str(to))) as target:
        with target.backup("main", connection, "main") as copying:
            while not copying.done:
                copying.step(1000)
        target.execute("REPLACE INTO meta (key, value) VALUES (?, ?)", (BACKUP_AT, str(int(time.time()))))
        _complete(target)


def _complete(connection: apsw.Connection) -> None:
    """Have the main file complete by itself. Closing does that, too, but says nothing when the disk refuses it."""
    connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _touch(path: Path) -> None:
    refuse_open_folder(path.parent)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    for suffix in _COMPANIONS:
        Path(f"{path}{suffix}").unlink(missing_ok=True)
