"""What surrounds a run: logs, progress, locks, signals."""
