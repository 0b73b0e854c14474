"""The ledger in one PostgreSQL database. See `port` and `shared` for the contract, `session` for the durability."""

from __future__ import annotations

from typing import Self

from bulk_cancel.ledger.postgres.create import has_tables, make_ready, refuse_missing
from bulk_cancel.ledger.postgres.session import connect
from bulk_cancel.ledger.postgres.sharing import Sharing


class PostgresLedger(Sharing):
    """One connection. Not for use by two threads at the same time; many ledger objects may share a database."""

    @classmethod
    def open(cls, url: str, name: str = "") -> Self:
        """Open the ledger of a database for writing, making its schema `bulk_cancel` when there is none.

        `name` is shown after `bulk-cancel` in pg_stat_activity, and to whom this ledger keeps out. Raises ConfigError
        for what is no URL, LedgerError when the database cannot be reached or the ledger is not one for this program.
        """
        session = connect(url, name=name)
        try:
            make_ready(session)
        except BaseException:
            session.close()
            raise
        return cls(session)

    @classmethod
    def open_to_read(cls, url: str, name: str = "") -> Self:
        """Open an existing ledger in a session that may not write. Errors as `open` says, and when there is none."""
        session = connect(url, name=name, read_only=True)
        try:
            refuse_missing(session)
        except BaseException:
            session.close()
            raise
        return cls(session)

    def close(self) -> None:
        """End the connection, and with it what it holds; a second time does nothing."""
        self._session.close()


def has_ledger(url: str) -> bool:
    """Tell whether there is a ledger in a database. Raises as `PostgresLedger.open_to_read` does, but not for none."""
    session = connect(url, read_only=True)
    try:
        return has_tables(session)
    finally:
        session.close()
