"""Carries out plans: paces, sends, records, reconciles, drains. Knows the API and the ledger only as protocols."""
