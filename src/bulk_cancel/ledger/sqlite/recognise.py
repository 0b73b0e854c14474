"""Compares a ledger that is opened with what this machine has seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from bulk_cancel.core.moments import show_moment
from bulk_cancel.ledger import high_water
from bulk_cancel.ledger.high_water import Keeper, Mark, Marks, Seen
from bulk_cancel.ledger.sqlite import integrity
from bulk_cancel.ledger.sqlite.create import BACKUP_AT, LEDGER_ID
from bulk_cancel.ledger.sqlite.failures import damaged
from bulk_cancel.ledger.sqlite.file_guard import print_of

Sql = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recognised:
    """What opening found: what a person is told once, if anything, and what moves the mark on."""

    notice: str = ""
    keeper: Keeper | None = None


def place_of(path: Path) -> str:
    """Return a ledger's path as its mark has it."""
    return str(path.absolute())


def recognise(connection: apsw.Connection, sql: Sql, path: Path, marks: Marks | None) -> Recognised:
    """Refuse a ledger that is older than its mark; else renew the mark.

    Raises LedgerError, also when the main file is not the one that the commits in its WAL were made for.
    """
    mark = _mark(connection, sql, marks)
    _refuse_mixed(connection, sql, path, mark)
    if marks is None:
        return Recognised()
    _refuse_older(connection, sql, path, mark)
    notice = _notice(connection, sql, path, mark)
    seen = Seen(*integrity.newest(connection, sql), *print_of(str(path))[2:])
    return Recognised(notice, marks.keep(_meta(connection, sql, LEDGER_ID), place_of(path), seen))


def refuse_older(connection: apsw.Connection, sql: Sql, path: Path, marks: Marks | None) -> None:
    """Raise LedgerError when a ledger is older than its mark."""
    _refuse_older(connection, sql, path, _mark(connection, sql, marks))


def _refuse_older(connection: apsw.Connection, sql: Sql, path: Path, mark: Mark | None) -> None:
    if mark is None or not mark.seen.number:
        return
    newest, _ = integrity.newest(connection, sql)
    found = connection.execute(sql["seal_of"], (mark.seen.number,)).fetchall()
    high_water.refuse_older(str(path), mark, newest, str(found[0][0]) if found else None, _backup(connection, sql))


def _refuse_mixed(connection: apsw.Connection, sql: Sql, path: Path, mark: Mark | None) -> None:
    """SQLite plays a WAL into any main file that lies beside it, an older copy's too: such a mixture is no history.

    After a kill the main file is as the mark knows it. If not, the whole history is compared with itself.
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
        unseen = "This machine has not seen it before, and cannot tell whether any of its newest events are missing."
        return f"{backup}The ledger {path} ends with its event {newest:,}. {unseen}"
    return f"{backup}The ledger {path} lacks nothing that this machine has seen of it." if backup else ""


def _backup(connection: apsw.Connection, sql: Sql) -> str:
    at = _meta(connection, sql, BACKUP_AT)
    return f"This is a backup of {show_moment(float(at))}. " if at else ""


def _mark(connection: apsw.Connection, sql: Sql, marks: Marks | None) -> Mark | None:
    return marks.of(_meta(connection, sql, LEDGER_ID)) if marks else None


def _meta(connection: apsw.Connection, sql: Sql, key: str) -> str:
    found = connection.execute(sql["get_meta"], (key,)).fetchall()
    return str(found[0][0]) if found else ""
