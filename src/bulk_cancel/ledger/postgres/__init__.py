"""The ledger in PostgreSQL, for many workers on many machines. Needs the extra `cluster`; nothing else imports psycopg."""

from bulk_cancel.ledger.postgres.ledger import PostgresLedger

__all__ = ["PostgresLedger"]
