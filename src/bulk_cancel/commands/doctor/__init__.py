"""`doctor`: checks whether a run would work. Sends no cancel, writes no ledger, makes at most one request."""
