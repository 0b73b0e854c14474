"""Refuses a ledger whose tables, indexes and triggers are not those that this program makes, to the letter.

A trigger that is gone forbids nothing, and one that was planted writes what nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import apsw

from bulk_cancel.core.text import shown
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.statements import statements

#: Kind and name → the table that it belongs to, and its text.
Schema = dict[tuple[str, str], tuple[str, str]]
#: It is made when the first input has been staged.
_LATER = ("index", "targets_key")


def refuse_altered(connection: apsw.Connection, path: Path) -> None:
    """Raise LedgerError, naming everything that is missing, planted or changed."""
    if wrong := list(_differences(_schema_of(connection), _ours())):
        raise LedgerError(
            f"The ledger {path} was altered by something else than this program: {'; '.join(wrong)}. "
            "Nothing was sent, and it was left as it is.",
            advice="What it says of earlier cancels cannot be trusted. Bring back the newest copy from before, with "
            "the -wal beside it, and run with --look each: it reads every appointment before its cancel.",
        )


def _differences(found: Schema, ours: Schema) -> Iterator[str]:
    for kind, name in sorted(found.keys() | ours.keys()):
        what = f"the {shown(kind)} {shown(name)}"
        if (kind, name) not in ours:
            yield f"{what} is none of its own"
        elif (kind, name) not in found:
            if (kind, name) != _LATER:
                yield f"{what} is missing"
        elif found[kind, name] != ours[kind, name]:
            yield f"{what} is another one"


@cache
def _ours() -> Schema:
    sql = statements("sqlite")
    with closing(apsw.Connection(":memory:")) as made:
        made.execute(sql["create_tables"] + sql["make_key"])
        return _schema_of(made)


def _schema_of(connection: apsw.Connection) -> Schema:
    rows = connection.execute(statements("sqlite")["schema"])
    return {(str(kind), str(name)): (str(table), " ".join(str(text).split())) for kind, name, table, text in rows}
