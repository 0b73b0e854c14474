"""The ledger in PostgreSQL, for many workers on many machines. Needs the extra `cluster`."""

from bulk_cancel.ledger.postgres.ledger import PostgresLedger

__all__ = ["PostgresLedger"]
