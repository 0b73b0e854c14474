"""The number of the ledger's schema: one for both databases. A ledger with any other is refused and left as it is."""

from __future__ import annotations

from bulk_cancel.errors import LedgerError

SCHEMA_VERSION = 2


def refuse_other_schema(version: int, place: object) -> None:
    """Raise LedgerError when a ledger has a schema that is not the one of this program."""
    if version != SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {place} has schema {version}; this bulk-cancel knows schema {SCHEMA_VERSION} alone. "
            "Nothing was sent, and the ledger was left as it is.",
            advice="Keep it: it knows what was sent. Use the bulk-cancel that made it, or name another one with "
            "--ledger; that one knows of no earlier cancel, so let its first run read before it sends: --look each.",
        )
