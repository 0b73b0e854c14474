"""Makes the ledger's schema, brings an older one up to date, refuses what it does not understand.

What is current is not touched: a user who may not change tables suffices for it.
"""

from __future__ import annotations

from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.statements import schema

SCHEMA_VERSION = 1
#: The first half of all advisory locks: "bcL1", as SQLite's application_id.
LOCKS = 0x62634C31


def make_ready(session: Session) -> None:
    """Make the schema when it is missing, or bring it up to date. Raises LedgerError for a foreign or a newer one."""
    if session.value("is_standby"):
        raise LedgerError(
            f"The ledger {session.place} is a standby of another server: it may only be read.",
            advice="Name the primary server; with several hosts, add target_session_attrs=read-write.",
        )
    if _refuse_newer(session) < SCHEMA_VERSION:
        with session.transaction():
            session.run("lock_schema", LOCKS)
            _upgrade(session, _refuse_newer(session))  # once more: another one may have done it while we waited


def refuse_missing(session: Session) -> None:
    """Raise LedgerError when there is no ledger, or when it is older or newer than this program."""
    version = _refuse_newer(session)
    if version == 0:
        raise LedgerError(
            f"There is no ledger at {session.place}.", advice="Name another one with --ledger, or run a job first."
        )
    if version < SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {session.place} was written by an older bulk-cancel: schema {version}, "
            f"this one knows {SCHEMA_VERSION}.",
            advice="`bulk-cancel reconcile` brings it up to date, after a backup.",
        )


def version_of(session: Session) -> int:
    """Return the schema's number; 0 when there is none. Raises LedgerError when it is somebody else's."""
    _, has_meta, has_tables = session.rows("find_schema")[0]
    found = session.rows("get_meta", "schema") if has_meta else []
    if not found and has_tables:
        raise LedgerError(
            f"The schema bulk_cancel of {session.place} is not a ledger of bulk-cancel.",
            advice="Name another database.",
        )
    return int(found[0][0]) if found else 0


def _refuse_newer(session: Session) -> int:
    version = version_of(session)
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {session.place} was written by a newer bulk-cancel: schema {version}, "
            f"this one knows {SCHEMA_VERSION}.",
            advice="Update bulk-cancel; nothing was sent.",
        )
    return version


def _upgrade(session: Session, version: int) -> None:
    if not session.rows("find_schema")[0][0]:
        session.run("create_schema")
    for step in range(version + 1, SCHEMA_VERSION + 1):
        session.connection.execute(schema(step, "postgres").encode())
    session.run("set_schema", str(SCHEMA_VERSION))
