"""One connection to the database: how it is set up, and how named statements run on it.

Durability: a commit returns once the server has its WAL on disk, as with synchronous=FULL in SQLite. A lost
connection is never reopened silently, since its caller may be in the middle of something: every later call raises
LedgerError.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from psycopg.types.numeric import Int8Dumper

from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.postgres.address import Address, parse
from bulk_cancel.ledger.postgres.failures import connecting, translated
from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.statements import statements

#: Rows that a reader of the whole history takes from the server at a time.
PAGE = 5000
Connection = psycopg.Connection[Row]


class Session:
    """A connection with its named statements. Not for use by two threads at the same time."""

    def __init__(self, place: str, connection: Connection) -> None:
        self.place = place
        self.connection = connection
        self.sql = statements("postgres")
        self._numbers = count()

    def run(self, name: str, *values: Any) -> psycopg.Cursor[Row]:
        """Execute a statement; in a pipeline its errors are raised later."""
        return psycopg.RawCursor(self.connection).execute(self.sql[name].encode(), values)

    def rows(self, name: str, *values: Any) -> list[Row]:
        """Return all rows of a statement; none of one that returns nothing."""
        with translated(self.place):
            cursor = self.run(name, *values)
            return cursor.fetchall() if cursor.description else []

    def value(self, name: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        return self.rows(name, *values)[0][0]

    def stream(self, name: str, *values: Any) -> Iterator[Row]:
        """Yield the rows of a statement one by one, in flat memory. No other statement may run meanwhile."""
        return psycopg.RawCursor(self.connection).stream(self.sql[name].encode(), values)

    def pages(self, name: str, *, hold: bool = False) -> Iterator[Row]:
        """Yield the rows of a statement by a cursor of the server; with `hold` it needs no transaction around it."""
        unique = f"{name}_{next(self._numbers)}"
        with translated(self.place), psycopg.ServerCursor(self.connection, unique, withhold=hold) as cursor:
            cursor.itersize = PAGE
            cursor.execute(self.sql[name].encode())
            yield from cursor

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one transaction, durable when the block ends."""
        with translated(self.place), self.connection.transaction():
            yield

    @contextmanager
    def batch(self) -> Iterator[None]:
        """As `transaction`, in few round trips: a statement's answer is awaited only when it is read."""
        with translated(self.place), self.connection.pipeline(), self.connection.transaction():
            yield

    def close(self) -> None:
        """End the session, which releases its locks; a second time does nothing."""
        self.connection.close()


def connect(url: str, *, name: str = "", read_only: bool = False) -> Session:
    """Open a session. Raises ConfigError when `url` is not a URL, LedgerError when the database cannot be reached."""
    address = parse(url)
    with connecting(address.place):
        session = Session(address.place, _connection(address, name))
    try:
        _set_up(session, read_only=read_only)
    except BaseException:
        session.close()
        raise
    return session


def _connection(address: Address, name: str) -> Connection:
    who = "bulk-cancel" + (f" {name}" if name else "")
    connection = psycopg.connect(
        **address.parameters | {"application_name": who, "client_encoding": "UTF8"},  # type: ignore[arg-type]
        autocommit=True,
    )
    connection.adapters.register_dumper(int, Int8Dumper)  # one type for all numbers: one plan for each statement
    return connection


def _set_up(session: Session, *, read_only: bool) -> None:
    encoding = session.rows("session")[0][-1]
    if encoding != "UTF8":
        raise LedgerError(
            f"The database {session.place} holds its texts in {encoding}, not in UTF-8.",
            advice="Create one for the ledger: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )
    if read_only:
        session.rows("read_only")
