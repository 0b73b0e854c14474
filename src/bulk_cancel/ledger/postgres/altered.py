"""Refuses a ledger whose tables, triggers and functions are not those that this program makes.

Compared is what every version of the server prints alike: the columns of tables, the events and texts of triggers, the
bodies of functions. Additional indexes are allowed: the database's administrator may need them.
"""

from __future__ import annotations

import re
from functools import cache

from bulk_cancel.ledger.altered import Schema, differences, refuse
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.statements import statements

_TABLE = re.compile(r"CREATE TABLE (\w+) \(\n(.*?)\n\)", re.DOTALL)
_COLUMN = re.compile(r"^  ([a-z]\w*)", re.MULTILINE)
_TRIGGER = re.compile(r"CREATE TRIGGER (\w+) (BEFORE [A-Z]+) ON (?:\w+\.)?(\w+)(.*)", re.DOTALL)
_FUNCTION = re.compile(r"CREATE FUNCTION (\w+)\(\)[^$;]*?(?:AS \$\$(.*?)\$\$|RETURN [^;]*);", re.DOTALL)
_TEXT = re.compile(r"'([^']*)'")


def refuse_altered(session: Session) -> None:
    """Raise LedgerError, naming everything that is missing, added, changed, switched off or another user's."""
    rows = session.rows("schema")
    found = {(str(kind), str(name)): _seen(str(kind), str(text)) for kind, name, _, text in rows}
    owners = {str(owner) for _, _, owner, _ in rows}
    wrong = [*differences(found, _ours())]
    wrong += [f"it has {len(owners)} owners"] if len(owners) > 1 else []
    refuse(session.place, wrong, "Restore the schema bulk_cancel whole, from the newest backup")


def _seen(kind: str, text: str) -> tuple[str, ...]:
    return _of_trigger(text)[1] if kind == "trigger" else tuple(text.split())


@cache
def _ours() -> Schema:
    script = statements("postgres")["create_tables"]
    made = {("table", name): tuple(_COLUMN.findall(columns)) for name, columns in _TABLE.findall(script)}
    made |= {("function", f"{name}()"): tuple(body.split()) for name, body in _FUNCTION.findall(script)}
    triggers = (_of_trigger(statement) for statement in script.split(";") if "CREATE TRIGGER" in statement)
    return made | {("trigger", name): what for name, what in triggers}


def _of_trigger(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of a trigger, and its event, its table, how often it is called, and all texts in it."""
    found = _TRIGGER.search(text)
    if found is None:
        return "", (text,)
    name, event, table, rest = found.groups()
    return f"{name} of {table}", (event, table, str("FOR EACH ROW" in rest), *_TEXT.findall(rest))
