"""Opens and locks what a command needs: settings resolved once, the ledger, credentials, rate limits."""
