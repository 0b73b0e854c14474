"""Hands the chunks of dead workers to other workers.

DBOS leaves the workflows of a dead worker pending, and with one chunk per partition that blocks an account for good. It
cannot tell dead from slow; the ledger can, by the heartbeats of a chunk's owner. Only a chunk that is pending *and*
silent is taken away. If its owner is alive after all, that does no harm: the ledger's fence stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from bulk_cancel.access.ledgers import clock_of
from bulk_cancel.cluster import completion as ending
from bulk_cancel.cluster.chunk import WorkerSetup
from bulk_cancel.cluster.queue import Queue, workflow_id
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.shared import ChunkRecord, SharedLedger

_UNDERWAY = ("ENQUEUED", "PENDING", "DELAYED")
#: Number of the newest runs that are searched for one that has not ended.
_RUNS = 100


def rescue(open_ledger: Callable[[], SharedLedger], queue: Queue, worker: WorkerSetup) -> None:
    """Hand over all stalled chunks, once. Raises LedgerError."""
    ledger = open_ledger()
    try:
        now = clock_of(ledger, worker.setup.machine.clock).now()
        _resume_stuck(ledger, queue, worker, now)
        _enqueue_forgotten(ledger, queue, worker)
        _end_finished(ledger, queue, worker)
    finally:
        ledger.close()
    queue.forget_old(now)


def _resume_stuck(ledger: SharedLedger, queue: Queue, worker: WorkerSetup, now: float) -> None:
    """Resume workflows that were claimed long ago and whose chunk has no recent heartbeat."""
    for stuck in queue.stuck(worker.silence_s, now):
        record = _chunk_of(ledger, stuck.workflow_id)
        if record is None or record.ended or record.silent_s is None or record.silent_s > worker.silence_s:
            worker.setup.log.warning("chunk.rescued", workflow=stuck.workflow_id, owner=record.owner if record else "")
            queue.resume(stuck.workflow_id)


def _enqueue_forgotten(ledger: SharedLedger, queue: Queue, worker: WorkerSetup) -> None:
    """Enqueue open chunks without a worker and a workflow: their worker gave up while the database was unreachable.

    Chunks that were never taken are found among the failed workflows.
    """
    runs = {run.run_no: run for run in ledger.runs(limit=_RUNS)}
    silent = [(runs.get(record.chunk.run_no), record) for record in ledger.silent_chunks(worker.silence_s)]
    failed = [(run, ledger.chunk(run.run_no, no)) for run in runs.values() for no in _failed(queue, run)]
    for run, record in (*silent, *failed):
        if run is not None and record is not None and not record.ended:
            _enqueue_again(queue, run, record)


def _failed(queue: Queue, run: RunRecord) -> set[int]:
    return {int(name.split("/")[1]) for name in queue.failed(f"{run.run_id}/")} if run.status == "running" else set()


def _enqueue_again(queue: Queue, run: RunRecord, record: ChunkRecord) -> None:
    """Enqueue a chunk under the first unused name, unless a workflow of it is underway."""
    number = record.chunk.chunk_no
    named = ["", *(f"after-{epoch}" for epoch in range(1, record.epoch + 1))]
    if any(queue.status(workflow_id(run.run_id, number, why)) in _UNDERWAY for why in named):
        return
    for why in (f"rescue-{times}" for times in count(1)):
        status = queue.status(workflow_id(run.run_id, number, why))
        if status is None:
            queue.enqueue(run.run_id, record, why=why)
        if status is None or status in _UNDERWAY:
            return


def _end_finished(ledger: SharedLedger, queue: Queue, worker: WorkerSetup) -> None:
    """End runs whose last worker died before it could end the run, and enqueue chunks that were not enqueued."""
    for run in ledger.runs(limit=_RUNS):
        if run.status == "running" and (chunks := ledger.chunks(run.run_no)):
            _enqueue_unbegun(queue, run, chunks)
            ending.go_on(ledger, queue, run, worker.setup.machine.clock)


def _enqueue_unbegun(queue: Queue, run: RunRecord, chunks: Sequence[ChunkRecord]) -> None:
    """Enqueue, in order, the chunks that the command that began the run did not enqueue before it died."""
    unbegun = [chunk for chunk in chunks if not (chunk.epoch or chunk.ended or chunk.series)]
    if unbegun and queue.status(workflow_id(run.run_id, unbegun[-1].chunk.chunk_no)) is None:
        queue.enqueue_all(run.run_id, unbegun)


def _chunk_of(ledger: SharedLedger, workflow: str) -> ChunkRecord | None:
    run_id, number, *_ = workflow.split("/")
    runs: list[RunRecord] = ledger.runs(run_id)
    return ledger.chunk(runs[0].run_no, int(number)) if runs else None
