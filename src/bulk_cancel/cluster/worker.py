"""A worker: takes chunks from the queue and carries them out until it is told to stop. Any number of them, anywhere."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio
from anyio import to_thread
from dbos import DBOS
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay

from bulk_cancel.cluster import completion as ending
from bulk_cancel.cluster import queue
from bulk_cancel.cluster import stalled as rescue
from bulk_cancel.cluster.chunk import ChunkResult, ChunkRun, WorkerSetup
from bulk_cancel.cluster.queue import Queue
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.core.exit_codes import Halt
from bulk_cancel.engine.retrying import random_wait
from bulk_cancel.errors import BulkCancelError, Exit, LedgerError, LockedError, LostChunkError
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import Hold
from bulk_cancel.ops.signals import watch_signals

#: Seconds to try to reach an unreachable database before a chunk is left to other workers.
_PATIENCE_S = 900.0
#: A worker that is told to stop waits so long, in whole seconds, for what is in flight.
_DRAIN_S = 60
#: A run, or a decision, on one machine may hold the ledger alone for a while.
_LOCK_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Where a worker works, and how."""

    url: str = field(repr=False)
    executor_id: str = ""
    setup: WorkerSetup = field(kw_only=True)
    at_once: int = 16  #: chunks, each of another account
    polling_s: float = 0.5
    rescue_every: str = "*/15 * * * * *"  #: when to look for the chunks of dead workers: cron, with seconds


def owner_name(executor_id: str) -> str:
    """Name a worker process so that no other one, nor a later one in its slot, has the same name."""
    return f"{executor_id}/{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"


class Worker:
    """The process's chunks, and what it does when it is told to stop."""

    def __init__(self, options: WorkerOptions, opened: Queue) -> None:
        self.options = options
        self._queue = opened
        self._running: set[ChunkRun] = set()
        self._stopped: Halt | None = None

    def stop(self, reason: str) -> None:
        """Take nothing new; what is in flight settles, and the rest goes back to the queue."""
        self._stopped = Halt(Exit.STOPPED, reason)
        for run in self._running:
            run.stop(self._stopped)

    async def carry_chunk(self, run_id: str, chunk_no: int) -> None:
        """Work on a chunk until it has ended or has another owner; again, when the database was away."""
        retrying = AsyncRetrying(
            stop=stop_after_delay(_PATIENCE_S),
            wait=random_wait(self.options.setup.setup.machine.jitter, 0.5, 10),
            retry=retry_if_exception(_may_come_back),
            sleep=anyio.sleep,
            reraise=True,
        )
        try:
            await retrying(self._carry_once, run_id, chunk_no, _Held())
        except LostChunkError as error:
            self.options.setup.log.warning("chunk.lost", run_id=run_id, chunk=chunk_no, why=str(error))

    async def _carry_once(self, run_id: str, chunk_no: int, held: _Held) -> None:
        ledger = await to_thread.run_sync(PostgresLedger.open, self.options.url)
        try:
            await to_thread.run_sync(ledger.limit_transactions, self.options.setup.silence_s / 2)
            await self._carry(ledger, run_id, chunk_no, held)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(ledger.close)

    async def _carry(self, ledger: PostgresLedger, run_id: str, chunk_no: int, held: _Held) -> None:
        log = self.options.setup.log
        (run,) = await to_thread.run_sync(ledger.runs, run_id)
        await to_thread.run_sync(held.refuse_lost, ledger, run.run_no, chunk_no)
        hold = held.hold = await to_thread.run_sync(ledger.take_chunk, run.run_no, chunk_no, self.options.setup.owner)
        if hold is None:
            return
        await to_thread.run_sync(ledger.lock_with_others, _LOCK_WAIT_S)
        ledger.hold(hold)
        run_settings = await to_thread.run_sync(RunSettings.kept, ledger, run.run_no)
        log.info("chunk.taken", run_id=run_id, chunk=chunk_no, account=hold.account, epoch=hold.epoch)
        work = ChunkRun(ledger, hold, run_settings, self.options.setup)
        if self._stopped:
            work.stop(self._stopped)
        self._running.add(work)
        try:
            note = await work.run()
        except LedgerError:
            raise
        except BulkCancelError as error:  # an account that this worker does not have: a run without end would be worse
            note = ChunkResult(exit_code=int(error.exit_code), message=f"{error} {error.advice}".strip())
        finally:
            self._running.discard(work)
        await to_thread.run_sync(self._conclude, ledger, run, hold, (run_settings, note))
        log.info("chunk.left", run_id=run_id, chunk=chunk_no, posts=note.posts, unknown=note.unknown)

    def _conclude(
        self, ledger: PostgresLedger, run: RunRecord, hold: Hold, found: tuple[RunSettings, ChunkResult]
    ) -> None:
        """End the chunk, or have it come back: when this worker stops, or when something is to be waited for."""
        run_settings, note = found
        comes_back = run_settings.limits.wait and note.halt is None and note.unknown > note.undecided
        if self._stopped or comes_back:
            delay_s = 0.0 if self._stopped else note.due_in_s + 1.0
            record = ledger.chunk(run.run_no, hold.chunk.chunk_no)
            # In this order: a crash in between leaves two who want the chunk, which does no harm, and not nobody.
            if record is not None:
                self._queue.enqueue(run.run_id, record, why=f"after-{hold.epoch}", delay_s=delay_s)
            ledger.reopen_chunk(hold)
            return
        ledger.end_chunk(hold, note.to_json())
        ending.go_on(ledger, self._queue, run)


@dataclass
class _Held:
    """The hold that a worker had before the database was away."""

    hold: Hold | None = None

    def refuse_lost(self, ledger: PostgresLedger, run_no: int, chunk_no: int) -> None:
        """Raise LostChunkError when somebody else has taken the chunk meanwhile: it must not be taken back from him."""
        if self.hold is None:
            return
        now = ledger.chunk(run_no, chunk_no)
        if now is None or now.epoch != self.hold.epoch:
            raise LostChunkError(f"Chunk {chunk_no} of run {run_no} was taken over while the database was away.")


def _may_come_back(error: BaseException) -> bool:
    return isinstance(error, LedgerError | LockedError) and not isinstance(error, LostChunkError)


def _workflows(worker: Worker, opened: Queue) -> Any:
    """Tell DBOS what it may run here. Returns the rescue, which is put on a schedule."""
    options = worker.options

    @DBOS.workflow(name=queue.CARRY_CHUNK, max_recovery_attempts=1000)
    async def carry_chunk(run_id: str, chunk_no: int) -> None:
        await worker.carry_chunk(run_id, chunk_no)

    @DBOS.workflow(name=queue.RESCUE)
    async def rescue_silent(_: datetime, __: Any) -> None:
        await to_thread.run_sync(rescue.rescue, options.url, opened, options.setup)

    return rescue_silent


async def work(options: WorkerOptions, before_death: Callable[[], None] = lambda: None) -> None:
    """Work until a signal comes; then let what is in flight settle, and hand back the rest. Raises LedgerError."""
    await to_thread.run_sync(queue.migrate, options.url)
    with queue.opened(options.url) as opened:
        worker, stopped = Worker(options, opened), anyio.Event()

        def drain(signal_name: str) -> None:
            options.setup.log.warning("worker.draining", signal=signal_name)
            worker.stop(f"The worker was stopped by {signal_name}.")
            stopped.set()

        async with anyio.create_task_group() as group:
            group.start_soon(watch_signals, drain, before_death)
            await _work_until(stopped, worker, opened)
            group.cancel_scope.cancel()


async def _work_until(stopped: anyio.Event, worker: Worker, opened: Queue) -> None:
    DBOS(config=queue.configuration(worker.options.url, worker.options.executor_id))
    rescuing = _workflows(worker, opened)
    DBOS.launch()
    try:
        await _register(worker.options, rescuing)
        worker.options.setup.log.info("worker.ready", executor=worker.options.executor_id)
        await stopped.wait()
    finally:
        with anyio.CancelScope(shield=True):  # first it claims no more, then it waits for what is in flight
            await to_thread.run_sync(lambda: DBOS.destroy(workflow_completion_timeout_sec=_DRAIN_S))


async def _register(options: WorkerOptions, rescuing: Any) -> None:
    await DBOS.register_queue_async(
        queue.CHUNKS,
        partition_concurrency=1,
        worker_concurrency=options.at_once,
        polling_interval_sec=options.polling_s,
        on_conflict="always_update",
    )
    await DBOS.apply_schedules_async(
        [{"schedule_name": queue.RESCUE, "workflow_fn": rescuing, "schedule": options.rescue_every, "context": None}]
    )
