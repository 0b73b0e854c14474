"""Translates PostgreSQL's errors into ours: what happened to which ledger, and what to do.

Only the first line of a message by libpq or the server is shown: it names hosts, users and tables, never a password,
while DETAIL and CONTEXT may quote data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bulk_cancel.errors import (
    BulkCancelError,
    ConfigError,
    LedgerDiskError,
    LedgerError,
    LedgerLostError,
    LedgerUnreachableError,
    LockedError,
)

#: libpq gives no code for an error before the session is established, only a sentence; in another language it is not
#: recognised, and the database counts as unreachable.
_REFUSED = ("password authentication failed", "no password supplied", "no pg_hba.conf entry", "does not exist")
_LOST = {"57P01", "57P02", "57P05", "08000", "08003", "08006", "25P03", "25P04"}
_NO_SPACE = {"53100", "53200", "58030"}
_DAMAGED = {"XX001", "XX002"}
_BUSY = {"55P03", "40P01", "40001"}
_AGAIN = "Then run the same command again; it goes on where it stopped."


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn psycopg's errors of a session into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise _translation(error, place) from error


@contextmanager
def connecting(place: str) -> Iterator[None]:
    """Turn psycopg's errors while connecting into ours."""
    try:
        yield
    except psycopg.Error as error:
        if any(words in str(error) for words in _REFUSED):
            raise ConfigError(
                f"The database refuses the user or the password of the ledger {place}: {_said(error)}.",
                advice="Nothing was sent. Correct the address, PGPASSFILE or PGPASSWORD.",
            ) from error
        raise LedgerUnreachableError(
            f"The ledger {place} cannot be reached: {_said(error)}.",
            advice="Is the database running, and are address, user and password right? Nothing was sent.",
        ) from error


def _translation(error: psycopg.Error, place: str) -> Exception:
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.ProgrammingError):
        return TypeError(str(error))  # a value that no column can hold: a bug of the caller's
    known = _of_server(state or "", error, place)
    if known is not None:
        return known
    if state in _LOST or (state is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)):
        return LedgerLostError(
            f"The connection to the ledger {place} was lost: {_said(error)}.",
            advice=f"Cancels on their way are unknown until they are read. Mend the database or the network. {_AGAIN}",
        )
    return LedgerError(
        f"The database refused what was asked of the ledger {place}: {_said(error)} ({state}).",
        advice="If nobody changed the tables by hand, this is a bug of bulk-cancel; please report it.",
    )


def _of_server(state: str, error: psycopg.Error, place: str) -> BulkCancelError | None:
    if state in _NO_SPACE:
        return LedgerDiskError(
            f"The database has no room for the ledger {place}: {_said(error)}.",
            advice=f"Free some space on the database's machine. {_AGAIN}",
        )
    if state in _DAMAGED:
        return LedgerDiskError(
            f"The database finds the ledger {place} damaged: {_said(error)}.",
            advice="Restore a backup made after the last run: an older one does not know what was sent since.",
        )
    if state in _BUSY:
        return LockedError(
            f"Another program keeps the ledger {place} locked: {_said(error)}.",
            advice="Look for long transactions in pg_stat_activity, then run the same command again.",
        )
    if state == "42501":
        return LedgerError(
            f"The database does not allow this user to use the ledger {place}: {_said(error)}.",
            advice="docs/ledger.md has the GRANT statements that a worker and an owner need.",
        )
    if state.startswith("42"):
        return LedgerError(
            f"The tables of the ledger {place} are not as this program made them: {_said(error)}.",
            advice="Was the schema bulk_cancel changed by hand, or restored in part? Restore it whole, from the newest "
            "backup.",
        )
    if state == "25006":
        return LedgerError(
            f"The ledger {place} may only be read here: {_said(error)}.",
            advice="Name the primary server, not a standby, and a user that may write.",
        )
    return None


def _said(error: psycopg.Error) -> str:
    """Return the first line of the error's message, without its last full stop."""
    message = error.diag.message_primary or str(error).strip().split("\n", 1)[0]
    return message.strip().rstrip(".")
