"""The ledger's files, looked at and meddled with from outside."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from bulk_cancel.core.states import State
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import HISTORIES, put, row, staged, uuid

COMPANIONS = ("", "-wal", "-shm", "-journal")


def make(path: Path) -> None:
    """Make a closed ledger with a target in every state."""
    ledger = SqliteLedger.open(path)
    run_no = staged(ledger, *(row(number, number) for number in range(2, 2 + len(HISTORIES))))
    for number, state in enumerate(State, 2):
        put(ledger, run_no, state, number)
    ledger.close()


def make_with_a_wrong_mark(path: Path) -> None:
    """Make a closed ledger with two targets of one appointment, of which the second is marked as the only one."""
    ledger = SqliteLedger.open(path)
    staged(ledger, row(2, 1), row(3, 1, attendee_id=uuid(50)))
    ledger.close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE targets SET has_sibling = 0 WHERE target_id = 2")
    connection.close()


def kill(ledger: SqliteLedger, to: Path) -> Path:
    """Return a copy of the ledger's files as a killed process leaves them."""
    for suffix in COMPANIONS:
        source = Path(f"{ledger.path}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{to}{suffix}")
    return to


def fingerprint(folder: Path, *, without: str = "nothing") -> dict[str, str]:
    """Return the digest of every file in a folder, by name, except those whose names end in `without`."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.endswith(without)
    }


@contextmanager
def raw(path: Path, *drop: str) -> Iterator[apsw.Connection]:
    """Write past the program, with these triggers out of the way."""
    connection = apsw.Connection(str(path))
    triggers = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
    for name in drop:
        connection.execute(f"DROP TRIGGER {name}")
    try:
        yield connection
    finally:
        for name in drop:
            connection.execute(str(triggers[name]))
        connection.close()
