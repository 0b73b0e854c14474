"""Many workers on many machines: chunks of a run on a DBOS queue, over a ledger in PostgreSQL.

DBOS decides which worker takes which chunk, and may run one twice. Only the ledger ensures that no appointment is
cancelled twice: by the intent, the fence of a chunk's owner, and reconcile.
"""
