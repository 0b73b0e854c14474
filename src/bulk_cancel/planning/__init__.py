"""Makes plans: where rows come from, what the ledger and the API know of them, and where the lines go."""
