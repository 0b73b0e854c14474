"""Loads the SQL files: statements under names, so that SQL is read as SQL."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_MARK = "-- name: "


@cache
def schema(version: int, kind: str = "schema") -> str:
    """Return the script that makes schema `version`, from nothing (1) or from the version before."""
    return files(__package__).joinpath(f"sql/{kind}_{version}.sql").read_text(encoding="utf-8")


@cache
def statements(name: str = "queries") -> dict[str, str]:
    """Return every named statement of a file: `queries` are SQLite's, `postgres` PostgreSQL's."""
    text = files(__package__).joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")
    parts = (part.split("\n", 1) for part in text.split(_MARK)[1:])
    return {name.strip(): _without_comments(body) for name, body in parts}


def _without_comments(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()
