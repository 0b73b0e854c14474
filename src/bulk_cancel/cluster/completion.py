"""The next phase of a run when chunks end: first all others, then the series, then the end of the run.

The worker that ends the last chunk of a phase calls it. Every step may be done twice, by two workers at once or after a
crash: enqueueing goes by names, and a run that has ended stays ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bulk_cancel.access.ledgers import clock_of
from bulk_cancel.cluster.chunk import ChunkResult
from bulk_cancel.cluster.queue import Queue
from bulk_cancel.cluster.run_settings import closure_of
from bulk_cancel.core.exit_codes import Halt, gravest
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.counters import Counters
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd
from bulk_cancel.execution.execute import RunFacts
from bulk_cancel.execution.finish import Effort, summarised
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.shared import ChunkRecord, SharedLedger
from bulk_cancel.reports.summary import Summary, to_json


def go_on(ledger: SharedLedger, queue: Queue, run: RunRecord, clock: Clock) -> bool:
    """Enqueue the next phase of a run, or end it; return whether it has no open series."""
    others, series = ledger.open_chunks(run.run_no)
    if others:
        return False
    chunks = ledger.chunks(run.run_no)
    if series:
        queue.enqueue_all(run.run_id, [chunk for chunk in chunks if not chunk.ended])
    elif run.status != "ended":
        end(ledger, run, chunks, clock)
    return not series


def end(ledger: SharedLedger, run: RunRecord, chunks: Sequence[ChunkRecord], clock: Clock) -> None:
    """Record the end of a run whose chunks have all ended. The watching command, or `report`, writes its files."""
    facts = facts_of(ledger, run, None, clock)
    ledger.end_run(run.run_no, facts.clock.now(), to_json(summary_of(facts, run, chunks)))


def facts_of(ledger: SharedLedger, run: RunRecord, out: Path | None, clock: Clock) -> RunFacts:
    """Return the facts of a run from the ledger; `clock` is the machine's."""
    clock = clock_of(ledger, clock)
    closure = closure_of(ledger, run.run_no)
    return RunFacts(run.run_id, run.run_no, ledger, out, clock, 0.0, closure=closure, provenance=run.provenance)


def summary_of(facts: RunFacts, run: RunRecord, chunks: Sequence[ChunkRecord]) -> Summary:
    """Return the summary of a run from the ledger and from the notes of its workers."""
    now = facts.clock.now()
    all_counters: defaultdict[str, list[Counters]] = defaultdict(list)
    for chunk in chunks:
        unseen = ChunkResult.from_json(chunk.note).unseen
        all_counters[chunk.account].append(Counters(chunk.posts, chunk.gets, chunk.throttled, unseen=unseen))
    elapsed_s = max(0.0, (run.ended_at or now) - run.started_at)
    effort = Effort(all_counters, any(chunk.account for chunk in chunks), elapsed_s, None)
    return summarised(facts, run_end(chunks, now), effort)


def run_end(chunks: Sequence[ChunkRecord], now: float) -> RunEnd:
    """Return the end of a run from those of its chunks: the gravest halt, with the accounts concerned."""
    notes = [(chunk, ChunkResult.from_json(chunk.note)) for chunk in chunks]
    halts = [(chunk, note.halt) for chunk, note in notes if note.halt]
    code = gravest(halt.exit_code for _, halt in halts) if halts else None
    told = dict.fromkeys(_told(chunk, halt) for chunk, halt in halts if halt.exit_code is code)
    due_at = [note.due_at for _, note in notes if note.due_at]
    reconciled = Reconciled(
        unknown=sum(note.unknown for _, note in notes),
        due_in_s=max(0.0, max(due_at) - now) if due_at else 0.0,
    )
    return RunEnd(Halt(code, " ".join(told)) if code is not None else None, reconciled)


def _told(chunk: ChunkRecord, halt: Halt) -> str:
    return f"Account {chunk.account}: {halt.message}" if chunk.account else halt.message
