"""The ledger in one PostgreSQL database. See `port` and `shared` for the contract, `session` for the durability."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.high_water import Mark, Marks
from bulk_cancel.ledger.postgres.create import has_tables, make_ready, refuse_missing
from bulk_cancel.ledger.postgres.recognise import own_mark, recognise, refuse_older
from bulk_cancel.ledger.postgres.session import connect
from bulk_cancel.ledger.postgres.sharing import Sharing


class PostgresLedger(Sharing):
    """One connection. Not for use by two threads at the same time; many ledger objects may share a database."""

    @classmethod
    def open(cls, url: str, name: str = "", marks: Marks | None = None) -> Self:
        """Open the ledger of a database for writing, making its schema `bulk_cancel` when there is none.

        `name` is shown after `bulk-cancel` in pg_stat_activity, and to processes that this one keeps out. Raises
        ConfigError when `url` is not a URL, LedgerError when the database cannot be reached or its ledger is not of
        this program, or older than its mark in `marks`.
        """
        session = connect(url, name=name)
        try:
            if marks and not has_tables(session):
                marks.refuse_missing(session.place)
            make_ready(session)
            recognised = recognise(session, marks)
        except BaseException:
            session.close()
            raise
        ledger = cls(session, marks, recognised.keeper)
        ledger.notice = recognised.notice
        return ledger

    @classmethod
    def open_to_read(cls, url: str, name: str = "", marks: Marks | None = None) -> Self:
        """Open an existing ledger in a session that may not write. Errors as `open` says, and when there is none."""
        session = connect(url, name=name, read_only=True)
        try:
            refuse_missing(session)
        except BaseException:
            session.close()
            raise
        return cls(session, marks)

    def verify(self) -> list[str]:
        return [*self._missing(), *super().verify()]

    def _missing(self) -> Iterator[str]:
        try:
            self.refuse_older()
        except LedgerError as error:
            yield str(error)

    def refuse_older(self) -> None:
        """Raise LedgerError when the ledger is older than what this machine has seen of it."""
        if self._marks:
            refuse_older(self._session, self._marks)

    def mark(self) -> Mark | None:
        """Return what this machine has seen of the ledger."""
        return own_mark(self._session, self._marks) if self._marks else None

    def close(self) -> None:
        """Close the connection, which releases its locks; a second time does nothing."""
        self._session.close()
        if self._keeper:
            self._keeper.close()
            self._keeper = None


def has_ledger(url: str) -> bool:
    """Return whether a database has a ledger. Raises as `PostgresLedger.open_to_read` does for anything else."""
    session = connect(url, read_only=True)
    try:
        return has_tables(session)
    finally:
        session.close()
