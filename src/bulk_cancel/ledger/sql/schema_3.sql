-- account: whose credential and limit a target is sent with; empty: the run's own.
ALTER TABLE targets ADD COLUMN account TEXT NOT NULL DEFAULT '';
