"""Loads the named statements of the SQL files."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal

_MARK = "-- name: "
#: A line of its own with a name in braces: the statement of that name is inserted there.
_PIECE = re.compile(r"^\{(\w+)\}$", re.MULTILINE)


@cache
def statements(database: Literal["sqlite", "postgres"]) -> dict[str, str]:
    """Return all statements of a database by name; `create_tables` is a script of several."""
    text = files(__package__).joinpath(f"sql/{database}.sql").read_text(encoding="utf-8")
    parts = (part.split("\n", 1) for part in text.split(_MARK)[1:])
    found = {name.strip(): _without_comments(body) for name, body in parts}
    return {name: _PIECE.sub(lambda piece: found[piece[1]], body) for name, body in found.items()}


def _without_comments(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()
