"""Compares a ledger with its mark when it is opened."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bulk_cancel.core.moments import show_moment
from bulk_cancel.ledger.high_water import Keeper, Mark, Marks, id_of, newest_event, refuse_older, seen_now, unseen
from bulk_cancel.ledger.sqlite import integrity
from bulk_cancel.ledger.sqlite.connection import Connection
from bulk_cancel.ledger.sqlite.create import BACKUP_AT
from bulk_cancel.ledger.sqlite.failures import damaged
from bulk_cancel.ledger.sqlite.file_guard import print_of


def place_of(path: Path) -> str:
    """Return a ledger's path as its mark records it."""
    return str(path.absolute())


def recognise(connection: Connection, path: Path, marks: Marks | None) -> tuple[str, Keeper | None]:
    """Refuse a ledger that is older than its mark, or in the place of another; else renew the mark, and lock its id.

    Return a notice for the person, if any, and the keeper of the mark. Raises LedgerError, also when the WAL does not
    belong to the main file, and LockedError when a run works on a copy of it.
    """
    if marks is None:
        _refuse_mixed(connection, path, None)
        return "", None
    ledger_id, place = id_of(connection.rows), place_of(path)
    with ExitStack() as holds:
        holds.enter_context(marks.locked(ledger_id, place))
        mark = marks.of(ledger_id)
        _refuse_mixed(connection, path, mark)
        refuse_older(connection.rows, str(path), mark, how_older(connection, path))
        marks.refuse_missing(place, ledger_id)
        keeper = marks.keep(ledger_id, place, seen_now(connection.rows, *print_of(str(path))[2:]))
        if keeper:
            keeper.holds = holds.pop_all()
        return _notice(connection, path, mark), keeper


def how_older(connection: Connection, path: Path) -> tuple[str, str]:
    """Return what is said of a ledger that is older than its mark: whether it is a backup, and what may be missing."""
    return _backup(connection), (
        f"A copy, a move or a link of {path.name} without the {path.name}-wal beside it leaves the newest events out: "
        "bring both back, or the newest copy."
    )


def _refuse_mixed(connection: Connection, path: Path, mark: Mark | None) -> None:
    """Refuse a main file with a foreign WAL: SQLite applies a WAL to any main file beside it, even to an older copy.

    After a kill the main file is as its mark says. If it is not, the whole history is verified.
    """
    wal = print_of(f"{path}-wal")
    if not wal or not wal[2] or (mark and print_of(str(path))[2:] == (mark.seen.size, mark.seen.changed_ns)):
        return
    if wrong := integrity.verify(connection):
        raise damaged(path, f"{path.name} is not the file that its -wal belongs to. {wrong[0].rstrip('.')}")


def _notice(connection: Connection, path: Path, mark: Mark | None) -> str:
    (newest, _), backup = newest_event(connection.rows), _backup(connection)
    if mark is None and newest:
        return backup + unseen(str(path), newest)
    return f"{backup}The ledger {path} lacks nothing that this machine has seen of it." if backup else ""


def _backup(connection: Connection) -> str:
    return "".join(
        f"This is a backup of {show_moment(float(at))}. " for (at,) in connection.rows("get_meta", BACKUP_AT)
    )
