"""Many workers on many machines: chunks of a run on a DBOS queue, over a ledger in PostgreSQL.

DBOS decides who works on which chunk, and may run one twice. That no appointment is cancelled twice is the ledger's
doing alone: the intent, the fence of a chunk's owner, and reconcile.
"""
