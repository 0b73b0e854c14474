"""Makes the ledger's schema when it is missing, and refuses an unknown one.

An existing schema is not changed: for it a database user without the right to alter tables suffices.
"""

from __future__ import annotations

import secrets

from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.high_water import LEDGER_ID
from bulk_cancel.ledger.postgres.altered import refuse_altered
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.schema_version import SCHEMA_VERSION, refuse_other_schema

#: The first half of all advisory locks: "bcL1", as SQLite's application_id.
LOCKS = 0x62634C31


def make_ready(session: Session) -> None:
    """Make the schema when it is missing. Raises LedgerError for a foreign one and for one of another version."""
    if session.value("is_standby"):
        raise LedgerError(
            f"The ledger {session.place} is a standby of another server: it may only be read.",
            advice="Name the primary server; with several hosts, add target_session_attrs=read-write.",
        )
    if not has_tables(session):
        with session.transaction():
            session.run("lock_schema", LOCKS)
            if not has_tables(session):  # again: another process may have made them while this one waited
                _fill(session)
    refuse_other_schema(version_of(session), session.place)
    refuse_altered(session)


def refuse_missing(session: Session) -> None:
    """Raise LedgerError when there is no ledger, and as `make_ready` does."""
    if not has_tables(session):
        raise LedgerError(
            f"There is no ledger at {session.place}.", advice="Name another one with --ledger, or run a job first."
        )
    refuse_other_schema(version_of(session), session.place)
    refuse_altered(session)


def has_tables(session: Session) -> bool:
    """Return whether there is a ledger. Raises LedgerError when the schema belongs to another program."""
    _, has_meta, has_others = session.rows("find_schema")[0]
    known = bool(has_meta and session.rows("get_meta", "schema"))
    if has_others and not known:
        raise LedgerError(
            f"The schema bulk_cancel of {session.place} is not a ledger of bulk-cancel.",
            advice="Name another database.",
        )
    return known


def version_of(session: Session) -> int:
    """Return the number of the ledger's schema."""
    return int(session.value("get_meta", "schema"))


def _fill(session: Session) -> None:
    if not session.rows("find_schema")[0][0]:
        session.run("create_schema")
    session.connection.execute(session.sql["create_tables"].encode())
    session.run("set_schema", str(SCHEMA_VERSION))
    session.run("set_meta", LEDGER_ID, secrets.token_hex(16))
