"""A connection to the ledger's file, with the named statements of `ledger/sql`."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

import apsw

from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.statements import statements


class Connection(apsw.Connection):
    """A connection whose statements are run by their names."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """End a transaction. Where SQLite has rolled back by itself, its error counts, and not that of our rollback."""
        try:
            return super().__exit__(kind, error, trace)
        except apsw.SQLError as failed:
            first = error or failed.__context__
            if isinstance(first, apsw.Error) and not self.in_transaction:
                raise first from None
            raise

    def rows(self, name: str, *values: Any) -> list[Row]:
        """Run a statement and return its rows."""
        return self.execute(statements("sqlite")[name], values).fetchall()

    def named(self, name: str) -> Iterator[Row]:
        """Run a statement and yield its rows one by one, in flat memory."""
        return self.execute(statements("sqlite")[name])

    def value(self, name: str) -> Any:
        """Run a statement and return the first column of its first row; None without rows."""
        found = self.rows(name)
        return found[0][0] if found else None

    def many(self, name: str, rows: Any) -> None:
        """Run a statement once for each of many rows of values."""
        self.executemany(statements("sqlite")[name], rows)
