"""Compares a ledger with its mark when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import apsw

from bulk_cancel.core.moments import show_moment
from bulk_cancel.ledger import high_water
from bulk_cancel.ledger.high_water import Mark, Marks, Recognised, Seen, Unanswered
from bulk_cancel.ledger.sqlite import integrity
from bulk_cancel.ledger.sqlite.create import BACKUP_AT, LEDGER_ID
from bulk_cancel.ledger.sqlite.failures import damaged
from bulk_cancel.ledger.sqlite.file_guard import print_of

Sql = Mapping[str, str]


def place_of(path: Path) -> str:
    """Return a ledger's path as its mark records it."""
    return str(path.absolute())


def recognise(connection: apsw.Connection, sql: Sql, path: Path, marks: Marks | None) -> Recognised:
    """Refuse a ledger that is older than its mark; else renew the mark, and lock the ledger's id.

    Raises LedgerError, also when the WAL does not belong to the main file, and
    LockedError when a run works on a copy of it.
    """
    if marks is None:
        _refuse_mixed(connection, sql, path, None)
        return Recognised()
    ledger_id, place = _meta(connection, sql, LEDGER_ID), place_of(path)
    with ExitStack() as holds:
        holds.enter_context(marks.held(ledger_id, place))
        mark = marks.of(ledger_id)
        _refuse_mixed(connection, sql, path, mark)
        _refuse_older(connection, sql, path, mark)
        keeper = marks.keep(ledger_id, place, _seen(connection, sql, path))
        if keeper:
            keeper.holds = holds.pop_all()
        return Recognised(_notice(connection, sql, path, mark), keeper)


def _seen(connection: apsw.Connection, sql: Sql, path: Path) -> Seen:
    found: list[tuple[Any, ...]] = connection.execute(sql["last_unanswered"]).fetchall()
    unanswered = Unanswered(*found[0]) if found else Unanswered()
    return Seen(*integrity.newest(connection, sql), unanswered, *print_of(str(path))[2:])


def refuse_older(connection: apsw.Connection, sql: Sql, path: Path, marks: Marks | None) -> None:
    """Raise LedgerError when a ledger is older than its mark."""
    _refuse_older(connection, sql, path, _mark(connection, sql, marks))


def _refuse_older(connection: apsw.Connection, sql: Sql, path: Path, mark: Mark | None) -> None:
    if mark is None or not mark.seen.number:
        return
    newest, _ = integrity.newest(connection, sql)
    found = connection.execute(sql["seal_of"], (mark.seen.number,)).fetchall()
    where = (
        f"A copy, a move or a link of {path.name} without the {path.name}-wal beside it leaves the newest events out: "
        "bring both back, or the newest copy."
    )
    how = _backup(connection, sql), where
    high_water.refuse_older(str(path), mark, newest, str(found[0][0]) if found else None, how)


def _refuse_mixed(connection: apsw.Connection, sql: Sql, path: Path, mark: Mark | None) -> None:
    """Refuse a main file with a foreign WAL: SQLite applies a WAL to any main file beside it, even to an older copy.

    After a kill the main file is as its mark says. If it is not, the whole history is verified.
    """
    wal = print_of(f"{path}-wal")
    if not wal or not wal[2] or (mark and print_of(str(path))[2:] == (mark.seen.size, mark.seen.changed_ns)):
        return
    if wrong := integrity.verify(connection, sql):
        raise damaged(path, f"{path.name} is not the file that its -wal belongs to. {wrong[0].rstrip('.')}")


def _notice(connection: apsw.Connection, sql: Sql, path: Path, mark: Mark | None) -> str:
    newest, _ = integrity.newest(connection, sql)
    backup = _backup(connection, sql)
    if mark is None and newest:
        return backup + high_water.unseen(str(path), newest)
    return f"{backup}The ledger {path} lacks nothing that this machine has seen of it." if backup else ""


def _backup(connection: apsw.Connection, sql: Sql) -> str:
    at = _meta(connection, sql, BACKUP_AT)
    return f"This is a backup of {show_moment(float(at))}. " if at else ""


def _mark(connection: apsw.Connection, sql: Sql, marks: Marks | None) -> Mark | None:
    return marks.of(_meta(connection, sql, LEDGER_ID)) if marks else None


def _meta(connection: apsw.Connection, sql: Sql, key: str) -> str:
    found = connection.execute(sql["get_meta"], (key,)).fetchall()
    return str(found[0][0]) if found else ""
