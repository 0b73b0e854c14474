"""Loads the named statements of the SQL files."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal

_MARK = "-- name: "
#: A line of its own with a name in braces: the text of that name is inserted there.
_PIECE = re.compile(r"^\{(\w+)\}$", re.MULTILINE)
_CAST = re.compile(r"::\w+")


@cache
def statements(database: Literal["sqlite", "postgres"]) -> dict[str, str]:
    """Return all statements of a database by name; `create_tables` is a script of several."""
    common, own = _named("common"), _named(database)
    if database == "sqlite":
        common = {name: _CAST.sub("", text).replace("$", "?") for name, text in common.items()}
    found = common | own

    def whole(text: str) -> str:
        return _PIECE.sub(lambda piece: whole(found[piece[1]]), text)

    return {name: whole(text) for name, text in found.items()}


def _named(file: str) -> dict[str, str]:
    text = files(__package__).joinpath(f"sql/{file}.sql").read_text(encoding="utf-8")
    parts = (part.split("\n", 1) for part in text.split(_MARK)[1:])
    return {name.strip(): _without_comments(body) for name, body in parts}


def _without_comments(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()
