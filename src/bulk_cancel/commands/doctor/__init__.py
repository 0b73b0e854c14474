"""`doctor`: would a run work? Sends no cancel, writes nothing to the ledger, asks the API once at most."""
