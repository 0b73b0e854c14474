"""Opens and checks the ledger's SQLite file. An unknown file is refused and left unchanged.

Durability: WAL with synchronous=FULL. It costs one fsync per commit, and in a simulation of power cuts no acknowledged
commit was lost (`tests/support/power_cut.py`), where WAL with NORMAL loses many and a rollback journal with FULL a few.
WAL needs SQLite 3.51.3 or later (older ones can corrupt it); apsw brings its own, whatever the machine has.

Nothing here may open the ledger's file except SQLite: closing any other descriptor of it would drop the process's
locks on it (POSIX), and another process could then remove the WAL under a running writer.
"""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.high_water import Keeper, Marks
from bulk_cancel.ledger.schema_version import refuse_other_schema
from bulk_cancel.ledger.sqlite import create as making
from bulk_cancel.ledger.sqlite.altered import refuse_altered
from bulk_cancel.ledger.sqlite.connection import Connection
from bulk_cancel.ledger.sqlite.failures import damaged, translated
from bulk_cancel.ledger.sqlite.recognise import place_of, recognise
from bulk_cancel.ledger.sqlite.staging import complete
from bulk_cancel.ops.private_files import refuse_open_folder

#: Up to this size every page is checked on opening; of a larger ledger only by `ledger verify`: it takes minutes.
QUICK_CHECK_BYTES = 64 * 1024 * 1024
#: Milliseconds to wait for another program's lock.
BUSY_TIMEOUT_MS = 5000
#: Most ledgers that are named where one is missing.
_MOST_NAMED = 4
SAFETY = ("trusted_schema = OFF", "cell_size_check = ON")
#: `temp_store`: sorts use a file, since the key of ten million targets takes half a gigabyte.
WRITING = ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "temp_store = FILE")


def open_for_writing(path: Path, marks: Marks | None = None) -> tuple[Connection, str, Keeper | None]:
    """Open the ledger, or make it when there is none; return also a notice for the person, and its mark's keeper.

    Raises LedgerError for a foreign or damaged file, for one with another schema, and for one that is older than its
    mark in `marks`; LedgerCreateError or LedgerDiskError when the disk refuses, LockedError when another program has
    it locked.
    """
    _refuse_odd_places(path)
    if not path.exists():
        making.refuse_orphans(path)
        if marks:
            marks.refuse_missing(place_of(path))
        making.create(path)
    with translated(path):
        connection = _connect(path)
        try:
            notice, keeper = _make_ready(connection, path, marks)
        except BaseException:
            close(connection, path)
            raise
    return connection, notice, keeper


def _make_ready(connection: Connection, path: Path, marks: Marks | None) -> tuple[str, Keeper | None]:
    _refuse_strangers(path)
    _refuse_read_only(connection, path)
    _set(connection, SAFETY)
    _refuse_foreign(connection, path)
    _check_pages(connection, path)
    recognised = recognise(connection, path, marks)
    _set(connection, WRITING)
    connection.transaction_mode = "IMMEDIATE"
    with connection:
        complete(connection)
        # A backup that is run on is a ledger from now on.
        connection.rows("forget_meta", making.BACKUP_AT)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    return recognised


def open_for_reading(path: Path) -> Connection:
    """Open an existing ledger without changing it. Raises LedgerError as above, and when there is none."""
    if not path.exists():
        advice = f"{_others_beside(path)}Name it with --ledger, or run a job first."
        raise LedgerError(f"There is no ledger at {path}.", advice=advice)
    with translated(path):
        connection = _connect_to_read(path)
        try:
            _set(connection, SAFETY)
            _refuse_foreign(connection, path)
        except BaseException:
            close(connection, path)
            raise
    return connection


def _others_beside(path: Path) -> str:
    """Return a sentence that names some ledgers in the same folder; empty where there is none."""
    others = ", ".join(sorted(other.name for other in path.parent.glob("ledger*.db"))[:_MOST_NAMED])
    return f"Beside it: {others}. The usual name goes by the API's address, MEETERGO_API_URL. " if others else ""


def close(connection: Connection, path: Path) -> None:
    """Close the file. A reader leaves it, and the WAL of a killed writer, unchanged.

    Without such a WAL closing changes nothing, so SQLite may remove the files that it put beside the ledger.
    """
    if connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1) and _wal_is_empty(path):
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    connection.close()


def _wal_is_empty(path: Path) -> bool:
    wal = Path(f"{path}-wal")
    return not wal.exists() or wal.stat().st_size == 0


def _connect(path: Path) -> Connection:
    """Connect without reading or changing anything, since the file is not checked yet."""
    _refuse_odd_files(path)
    connection = Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    # Else SQLite compares parameters with the conditions of partial indexes and compiles such statements at every call.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    return connection


def _connect_to_read(path: Path) -> Connection:
    """Connect for reading; with write access where possible, so that SQLite can remove the files it puts beside it.

    Without write access, and without a WAL of another writer, the file is read as immutable.
    """
    connection = _connect(path)
    if Path(f"{path}-wal").exists() or _may_add_files(connection):
        connection.pragma("query_only", True)
        return connection
    connection.close()
    return Connection(f"{path.absolute().as_uri()}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def _may_add_files(connection: Connection) -> bool:
    try:
        return not connection.readonly("main") and connection.pragma("user_version") is not None
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        return False


def _set(connection: Connection, pragmas: tuple[str, ...]) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _refuse_odd_places(path: Path) -> None:
    if path.is_symlink():
        raise LedgerError(
            f"The ledger {path} is a symbolic link.", advice="Name the file itself: a link can be turned."
        )
    if path.parent.exists():
        refuse_open_folder(path.parent)


def _refuse_odd_files(path: Path) -> None:
    if not path.is_file():
        raise LedgerError(f"The ledger {path} is not a file.", advice="Name a file with --ledger.")
    if path.stat().st_nlink > 1:
        raise LedgerError(
            f"The ledger {path} has a second name, a hard link.",
            advice="Remove the other name: two runs that use one each do not know of each other.",
        )
    if path.stat().st_size == 0:
        raise LedgerError(
            f"The ledger {path} is empty: its history is lost, or it never was a ledger.",
            advice="Restore a backup made after the last run. Only if nothing was ever sent from it, delete the file.",
        )


def _refuse_foreign(connection: Connection, path: Path) -> None:
    application_id = connection.pragma("application_id")
    if application_id != making.APPLICATION_ID:
        raise LedgerError(f"{path} is an SQLite file of another program.", advice="Name another --ledger.")
    refuse_other_schema(int(connection.pragma("user_version")), path)
    refuse_altered(connection, path)


def _refuse_strangers(path: Path) -> None:
    """Refuse another user's file: its owner may change it, or make it readable for all, at any time."""
    if path.stat().st_uid != os.geteuid():
        raise LedgerError(
            f"The ledger {path} belongs to another user.",
            advice=f"Run as its owner, or choose another one with --ledger. If it is meant to be yours: chown '{path}'",
        )


def _refuse_read_only(connection: Connection, path: Path) -> None:
    if connection.readonly("main"):
        raise LedgerError(
            f"The ledger {path} may only be read, so nothing can be recorded in it.",
            advice=f"Choose another one with --ledger, or: chmod u+w '{path}'",
        )


def _check_pages(connection: Connection, path: Path) -> None:
    if path.stat().st_size <= QUICK_CHECK_BYTES:
        result = str(connection.execute("PRAGMA quick_check(1)").fetchall()[0][0])
        if result != "ok":
            raise damaged(path, result.splitlines()[-1])
