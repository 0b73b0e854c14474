"""The ledger in PostgreSQL, for many workers on many machines. Needs the extra `cluster`."""

from bulk_cancel.ledger.postgres.address import place_of
from bulk_cancel.ledger.postgres.ledger import PostgresLedger, has_ledger

__all__ = ["PostgresLedger", "has_ledger", "place_of"]
