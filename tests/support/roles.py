"""The roles of a cluster's database, with the rights that docs/cluster.md gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
(_RIGHTS,) = (statement for statement in STATEMENTS if "CREATE ROLE" in statement)
OTHERS = [statement for statement in STATEMENTS if statement is not _RIGHTS]
_ROLES = ("bulk_cancel_worker", "bulk_cancel_run")


@dataclass(frozen=True)
class Urls:
    """The database as each role sees it."""

    owner: str
    worker: str
    run: str


@contextmanager
def given_rights(owner_url: str) -> Iterator[Urls]:
    """Give the roles their rights in a database that has the ledger and the queue; they go with the block."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(_RIGHTS.encode())
    try:
        yield Urls(owner_url, *(owner_url.replace("postgres@", f"{role}@") for role in _ROLES))
    finally:
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute(f"DROP OWNED BY {', '.join(_ROLES)}; DROP ROLE {', '.join(_ROLES)}".encode())
