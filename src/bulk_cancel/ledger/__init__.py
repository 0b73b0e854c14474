"""The durable ledger: what was intended, what came of it. `port` is the contract, the others keep it."""
