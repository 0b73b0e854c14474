"""The durable ledger of intents and outcomes. `port` is the contract, `sqlite` and `postgres` implement it."""
