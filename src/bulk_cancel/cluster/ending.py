"""What follows when chunks end: series after all others, and the end of the run. Asked by whoever ends a chunk last.

Every step may be done twice, by two workers at once or after a crash: enqueueing goes by names, and a run that has
ended stays ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulk_cancel.carrying import RunFacts, summarised
from bulk_cancel.cluster.chunk import Note
from bulk_cancel.cluster.queue import Queue
from bulk_cancel.core.verdict import Halt
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd
from bulk_cancel.engine.tally import Tally
from bulk_cancel.errors import Exit
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.shared import ChunkRecord, SharedLedger
from bulk_cancel.reports.summary import to_json

#: Of several halts the first of these is told; any other one before none.
_GRAVEST = (Exit.BUG, Exit.CREDENTIAL, Exit.DISK, Exit.CONFIG, Exit.UNREACHABLE, Exit.STOPPED)


def go_on(ledger: SharedLedger, queue: Queue, run: RunRecord) -> bool:
    """Have the next phase of a run worked on, or end it; tell whether it has ended."""
    chunks = ledger.chunks(run.run_no)
    open_ones = [chunk for chunk in chunks if not chunk.ended]
    if not open_ones:
        if run.status != "ended":
            end(ledger, run, chunks)
        return True
    if all(chunk.series for chunk in open_ones):
        queue.enqueue_all(run.run_id, open_ones)
    return False


def end(ledger: SharedLedger, run: RunRecord, chunks: Sequence[ChunkRecord]) -> None:
    """Write the end of a run whose chunks have all ended. Its files are made by who watches it, or by `report`."""
    clock = Clock(lambda: 0.0, ledger.time_base())
    now = time_of(ledger)
    facts = RunFacts(run.run_id, run.run_no, None, clock, 0.0, tally_of(chunks))
    summary = summarised(ledger, facts, run_end(chunks, now), max(0.0, now - run.started_at))
    ledger.end_run(run.run_no, now, to_json(summary))


def time_of(ledger: SharedLedger) -> float:
    """Return the database's time, seconds since the epoch."""
    import time

    return ledger.time_base().wall(time.monotonic())


def tally_of(chunks: Sequence[ChunkRecord]) -> Tally:
    """Sum what the workers counted."""
    notes = [Note.from_json(chunk.note) for chunk in chunks]
    return Tally(
        posts=sum(note.posts for note in notes),
        gets=sum(note.gets for note in notes),
        throttled=sum(note.throttled for note in notes),
    )


def run_end(chunks: Sequence[ChunkRecord], now: float) -> RunEnd:
    """Return how a run ended, from how its chunks did: its halt is the gravest one, and names its account."""
    notes = [(chunk, Note.from_json(chunk.note)) for chunk in chunks]
    halts = [Halt(note.halt.exit_code, _told(chunk, note.halt)) for chunk, note in notes if note.halt]
    halts.sort(key=lambda halt: _GRAVEST.index(halt.exit_code) if halt.exit_code in _GRAVEST else 0)
    due_at = [note.due_at for _, note in notes if note.due_at]
    reconciled = Reconciled(
        unknown=sum(note.unknown for _, note in notes),
        missing=sum(note.missing for _, note in notes),
        due_in_s=max(0.0, max(due_at) - now) if due_at else 0.0,
    )
    return RunEnd(halts[0] if halts else None, reconciled)


def _told(chunk: ChunkRecord, halt: Halt) -> str:
    return f"Account {chunk.account}: {halt.message}" if chunk.account else halt.message
