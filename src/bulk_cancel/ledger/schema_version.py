"""The version of the ledger's schema, one for both databases. A ledger of another version is refused, unchanged."""

from __future__ import annotations

from bulk_cancel.errors import LedgerError

SCHEMA_VERSION = 2


def refuse_other_schema(version: int, place: object) -> None:
    """Raise LedgerError when a ledger's schema has another version than this program's."""
    if version != SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {place} has schema {version}; this bulk-cancel knows only schema {SCHEMA_VERSION}. "
            "Nothing was sent, and the ledger was left as it is.",
            advice="Keep it: it knows what was sent. Use the version of bulk-cancel that made it, or name another "
            "ledger with --ledger; that one knows of no earlier cancel, so let its first run read before it sends: "
            "--look each.",
        )
