"""Refuses a ledger whose tables, indexes and triggers are not those that this program makes, to the letter.

A trigger that is gone forbids nothing, and one that was planted writes what nobody asked for.
"""

from __future__ import annotations

from contextlib import closing
from functools import cache, lru_cache
from pathlib import Path

from bulk_cancel.ledger.altered import Schema, differences, refuse
from bulk_cancel.ledger.sqlite.connection import Connection
from bulk_cancel.ledger.statements import statements

#: It is made when the first input has been staged.
_LATER = ("index", "targets_key")


def refuse_altered(connection: Connection, path: Path) -> None:
    """Raise LedgerError, naming everything that is missing, planted or changed."""
    found = _schema_of(connection)
    ours = {name: what for name, what in _ours().items() if name != _LATER or name in found}
    refuse(str(path), differences(found, ours), "Bring back the newest copy from before, with the -wal beside it")


@cache
def _ours() -> Schema:
    sql = statements("sqlite")
    with closing(Connection(":memory:")) as made:
        made.execute(sql["create_tables"] + sql["make_key"])
        return _schema_of(made)


def _schema_of(connection: Connection) -> Schema:
    rows = connection.rows("schema")
    return {(str(kind), str(name)): (str(table), _on_one_line(str(text))) for kind, name, table, text in rows}


@lru_cache(200)
def _on_one_line(text: str) -> str:
    return " ".join(text.split())
