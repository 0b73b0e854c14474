"""A worker: takes chunks from the queue and carries them out until it is told to stop. There may be any number."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from dbos import DBOS
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay

from bulk_cancel.access.ledgers import LedgerDatabase
from bulk_cancel.access.limit_sharing import limit_shared
from bulk_cancel.access.places import sign_of_life
from bulk_cancel.cluster import completion as ending
from bulk_cancel.cluster import queue
from bulk_cancel.cluster import stalled as rescue
from bulk_cancel.cluster.chunk import ChunkResult, ChunkRun, WorkerSetup
from bulk_cancel.cluster.queue import Queue
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.core.exit_codes import Halt
from bulk_cancel.engine.counters import Counters
from bulk_cancel.engine.retrying import random_wait
from bulk_cancel.errors import BulkCancelError, Exit, LedgerError, LockedError, LostChunkError
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import ChunkRecord, Lease, SharedLedger
from bulk_cancel.ops.signals import watch_signals

#: Seconds to try to reach an unreachable database before a chunk is left to other workers.
_PATIENCE_S = 900.0
#: Whole seconds that a worker that is told to stop waits for requests in flight.
_DRAIN_S = 60
#: Seconds to wait for the ledger, which a run or a decision on one machine may hold alone.
_LOCK_WAIT_S = 10.0
#: Seconds between touches of the file for the health check, which allows two minutes.
_SIGN_EVERY_S = 15.0
#: When to look for the chunks of dead workers: cron, with seconds.
RESCUE_EVERY = "*/15 * * * * *"
#: Most seconds after which a chunk that this worker cannot carry out is offered to others.
_GIVEN_BACK_S = 5.0


def connected(place: LedgerDatabase, silence_s: float) -> SharedLedger:
    """Open the ledger with short transactions: their locks keep a worker waiting that takes the chunk over."""
    ledger = PostgresLedger.open(place.url, marks=place.marks)
    try:
        ledger.limit_transactions(silence_s / 2)
    except BaseException:
        ledger.close()
        raise
    return ledger


def owner_name(executor_id: str) -> str:
    """Return a unique name of a worker process; a later one with the same executor id gets another."""
    return f"{executor_id}/{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"


class Worker:
    """The chunks that this process works on. `open_ledger` opens the ledger for the work on one of them."""

    def __init__(self, options: WorkerSetup, opened: Queue, open_ledger: Callable[[], SharedLedger]) -> None:
        self._options = options
        self._queue = opened
        self._open_ledger = open_ledger
        self._running: set[ChunkRun] = set()
        self._stopped: Halt | None = None
        #: Account -> the newest run in which the API refused its credential here; the next run tries again.
        self._refused: dict[str, tuple[str, ChunkResult]] = {}
        self._off_loop = options.setup.machine.off_loop

    def stop(self, reason: str) -> None:
        """Take nothing new; requests in flight settle, and the rest goes back to the queue."""
        self._stopped = Halt(Exit.STOPPED, reason)
        for run in self._running:
            run.stop(self._stopped)

    async def carry_chunk(self, run_id: str, chunk_no: int) -> None:
        """Work on a chunk until it has ended or has another owner; try again when the database was unreachable."""
        log = self._options.setup.log
        retrying = AsyncRetrying(
            stop=stop_after_delay(_PATIENCE_S),
            wait=random_wait(self._options.setup.machine.jitter, 0.5, 10),
            retry=retry_if_exception(_may_come_back),
            sleep=anyio.sleep,
            before_sleep=lambda state: log.warning(
                "chunk.waiting", why=str(state.outcome and state.outcome.exception())
            ),
            reraise=True,
        )
        try:
            await retrying(self._carry_once, run_id, chunk_no, _Kept())
        except LostChunkError as error:
            log.warning("chunk.lost", run_id=run_id, chunk=chunk_no, why=str(error))

    async def _carry_once(self, run_id: str, chunk_no: int, kept: _Kept) -> None:
        ledger = await self._off_loop(self._open_ledger)
        try:
            await self._carry(ledger, run_id, chunk_no, kept)
        finally:
            with anyio.CancelScope(shield=True):
                await self._off_loop(ledger.close)

    async def _carry(self, ledger: SharedLedger, run_id: str, chunk_no: int, kept: _Kept) -> None:
        options, log = self._options, self._options.setup.log
        (run,) = await self._off_loop(ledger.runs, run_id)
        await self._off_loop(kept.refuse_lost, ledger, run.run_no, chunk_no)
        await self._off_loop(ledger.lock_with_others, _LOCK_WAIT_S)
        lease = kept.lease = await self._off_loop(
            ledger.take_chunk, run.run_no, chunk_no, options.owner, options.silence_s
        )
        if lease is None:
            return
        ledger.work_under(lease)
        log.info("chunk.taken", run_id=run_id, chunk=chunk_no, account=lease.account, epoch=lease.epoch)
        refused_in, note = self._refused.get(lease.account, ("", ChunkResult()))
        if refused_in != run_id:
            note = await self._work(ledger, lease, kept.counters)
        if note.exit_code == Exit.CREDENTIAL:
            self._refused[lease.account] = (run_id, note)
        await self._off_loop(self._conclude, ledger, run, lease, note)
        log.info("chunk.left", run_id=run_id, chunk=chunk_no, unknown=note.unknown, exit_code=note.exit_code)

    async def _work(self, ledger: SharedLedger, lease: Lease, counters: Counters) -> ChunkResult:
        """Carry out a chunk. Raises LedgerError and LockedError; any other error is in the result."""
        options = self._options
        try:
            run_settings = await self._off_loop(RunSettings.kept, ledger, lease.chunk.run_no)
            account = options.setup.accounts.find(lease.account)
            async with self._limit_shared(limit_shared(options.setup, account, ledger)):
                work = ChunkRun(ledger, lease, run_settings, options, counters)
                if self._stopped:
                    work.stop(self._stopped)
                self._running.add(work)
                try:
                    return await work.run()
                finally:
                    self._running.discard(work)
        except (LedgerError, LockedError):
            raise
        except BulkCancelError as error:
            return ChunkResult(exit_code=int(error.exit_code), message=f"{error} {error.advice}".strip())

    @asynccontextmanager
    async def _limit_shared(self, lock: AbstractContextManager[None]) -> AsyncIterator[None]:
        """Enter and leave a blocking context manager outside of the event loop."""
        await self._off_loop(lock.__enter__)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._off_loop(lock.__exit__, None, None, None)

    def _conclude(self, ledger: SharedLedger, run: RunRecord, lease: Lease, note: ChunkResult) -> None:
        """End the chunk, or enqueue it again: for another worker, or for any worker later."""
        record = ledger.chunk(run.run_no, lease.chunk.chunk_no)
        delay_s = self._comes_back_in_s(ledger, record, note) if record else None
        if record is not None and delay_s is not None:
            # In this order: a crash in between leaves two workflows for the chunk, which is harmless, instead of none.
            self._queue.enqueue(run.run_id, record, why=f"after-{lease.epoch}", delay_s=delay_s)
            ledger.reopen_chunk(lease, given_back=note.is_of_this_worker)
            return
        if note.is_of_this_worker:
            ledger.end_account(lease, note.to_json())
        else:
            ledger.end_chunk(lease, note.to_json())
        ending.go_on(ledger, self._queue, run, self._options.setup.machine.clock)

    def _comes_back_in_s(self, ledger: SharedLedger, record: ChunkRecord, note: ChunkResult) -> float | None:
        """Return the seconds after which a worker has to take the chunk again; None when it has ended.

        A chunk that only this worker cannot carry out is given back until none has taken it for `silence_s` seconds.
        """
        silence_s = self._options.silence_s
        if note.is_of_this_worker:
            return None if (record.given_back_s or 0.0) > silence_s else min(_GIVEN_BACK_S, silence_s / 5)
        if self._stopped:
            return 0.0
        return note.comes_back_in_s


@dataclass
class _Kept:
    """What a worker keeps while the database is unreachable: its lease, and requests that are not counted yet."""

    lease: Lease | None = None
    counters: Counters = field(default_factory=Counters)

    def refuse_lost(self, ledger: SharedLedger, run_no: int, chunk_no: int) -> None:
        """Raise LostChunkError when another worker has taken the chunk meanwhile: it must not be taken back."""
        if self.lease is None:
            return
        now = ledger.chunk(run_no, chunk_no)
        if now is None or now.epoch != self.lease.epoch:
            raise LostChunkError(f"Chunk {chunk_no} of run {run_no} was taken over while the database was unreachable.")


def _may_come_back(error: BaseException) -> bool:
    return isinstance(error, LedgerError | LockedError) and not isinstance(error, LostChunkError)


async def work(place: LedgerDatabase, options: WorkerSetup, slot: str, at_once: int) -> None:
    """Work until a signal comes; then let requests in flight settle, and give back the rest. Raises LedgerError.

    At most `at_once` chunks are worked on at a time, each of another account.
    """
    await to_thread.run_sync(queue.migrate, place.url)
    with queue.opened(place.url) as opened:
        open_ledger, stopped = partial(connected, place, options.silence_s), anyio.Event()
        worker = Worker(options, opened, open_ledger)

        def drain(signal_name: str) -> None:
            options.setup.log.warning("worker.draining", signal=signal_name)
            worker.stop(f"The worker was stopped by {signal_name}.")
            stopped.set()

        async with anyio.create_task_group() as group:
            group.start_soon(watch_signals, drain, lambda _: None)
            group.start_soon(show_life, sign_of_life(options.setup.machine.state_folder))
            DBOS(config=queue.configuration(place.url, slot))
            rescuing = _workflows(worker, partial(rescue.rescue, open_ledger, opened, options))
            async with _launched():
                await _register(rescuing, at_once)
                options.setup.log.info("worker.ready", executor=slot)
                await stopped.wait()
            group.cancel_scope.cancel()


def _workflows(worker: Worker, rescue_all: Callable[[], None]) -> Any:
    """Register the workflows with DBOS; return the rescue, which is put on a schedule."""

    @DBOS.workflow(name=queue.CARRY_CHUNK, max_recovery_attempts=1000)
    async def carry_chunk(run_id: str, chunk_no: int) -> None:
        await worker.carry_chunk(run_id, chunk_no)

    @DBOS.workflow(name=queue.RESCUE)
    async def rescue_silent(_: datetime, __: Any) -> None:
        await to_thread.run_sync(rescue_all)

    return rescue_silent


@asynccontextmanager
async def _launched() -> AsyncIterator[None]:
    """Let DBOS hand out chunks during the block. At its end it claims no more, then waits for requests in flight."""
    DBOS.launch()
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(lambda: DBOS.destroy(workflow_completion_timeout_sec=_DRAIN_S))


async def show_life(file: Path) -> None:
    """Touch a file repeatedly until cancelled. An error of the disk does not stop the worker."""
    try:
        while True:
            await to_thread.run_sync(_touch, file)
            await anyio.sleep(_SIGN_EVERY_S)
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(partial(file.unlink, missing_ok=True))


def _touch(file: Path) -> None:
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)


async def _register(rescuing: Any, at_once: int) -> None:
    await DBOS.register_queue_async(
        queue.CHUNKS,
        partition_concurrency=1,
        worker_concurrency=at_once,
        polling_interval_sec=0.5,
        on_conflict="always_update",
    )
    await DBOS.apply_schedules_async(
        [{"schedule_name": queue.RESCUE, "workflow_fn": rescuing, "schedule": RESCUE_EVERY, "context": None}]
    )
