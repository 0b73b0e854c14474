"""`cluster status` and `cluster stop`: the runs that workers carry out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from bulk_cancel.access.ledgers import LedgerDatabase, LedgerPlace
from bulk_cancel.errors import UsageError
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.shared import ChunkRecord, SharedLedger

#: Number of the newest runs that are shown.
_RUNS = 5


def database_of(place: LedgerPlace) -> LedgerDatabase:
    """Return a ledger that workers can share. Raises UsageError for any other."""
    if not isinstance(place, LedgerDatabase):
        raise UsageError(
            "Workers share a ledger in PostgreSQL.", advice="Name it: --ledger postgresql://user@host/database"
        )
    return place


def runs_of_workers(place: LedgerPlace) -> list[tuple[RunRecord, Sequence[ChunkRecord]]]:
    """Return the newest runs that have chunks, with their chunks. Raises UsageError and LedgerError."""
    with database_of(place).reading() as opened:
        shared = cast(SharedLedger, opened)
        found = [(run, shared.chunks(run.run_no)) for run in shared.runs(limit=_RUNS)]
        return [(run, chunks) for run, chunks in found if chunks]


def stop_run(place: LedgerPlace, run_id: str) -> None:
    """Make all workers stop working on a run. Raises UsageError when workers have no such run."""
    with database_of(place).together() as shared:
        runs = shared.runs(run_id)
        if not runs or not shared.chunk(runs[0].run_no, 1):
            raise UsageError(f"No run {run_id} is carried out by workers.", advice="See: bulk-cancel cluster status")
        shared.stop_run(runs[0].run_no, "The run was stopped: bulk-cancel cluster stop.")
