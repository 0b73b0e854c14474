"""Hands a staged run to the workers and watches it: `run --engine dbos` sends nothing itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import cast

import anyio
from anyio import to_thread

from bulk_cancel.access.ledgers import LedgerDatabase
from bulk_cancel.access.setup import Setup
from bulk_cancel.cluster import completion as ending
from bulk_cancel.cluster import queue
from bulk_cancel.cluster.approved_rows import keep_approved
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.core.text import counted
from bulk_cancel.engine.clock import Clock
from bulk_cancel.errors import Exit, LedgerError, LedgerLostError, LedgerUnreachableError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.execute import RunFacts
from bulk_cancel.execution.finish import record_end
from bulk_cancel.execution.runners import told_states
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import NOBODY, START_ONE, ChunkRecord, SharedLedger, is_untaken
from bulk_cancel.ops.progress import Standing, show_progress
from bulk_cancel.ops.signals import watch_signals
from bulk_cancel.reports.summary import Summary

_POLL_S = 1.0
#: Seconds to keep watching while the database is unreachable.
_PATIENCE_S = 900.0
#: Seconds to wait for the ledger, which a person's decision may lock for a moment.
_LOCK_WAIT_S = 10.0
#: Seconds after which a run that no worker takes is reported: a worker polls twice a second.
_UNTAKEN_S = 8.0


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A staged run that is handed to workers."""

    setup: Setup
    caller: Caller
    facts: RunFacts

    @property
    def place(self) -> LedgerDatabase:
        """The ledger, which the workers share."""
        return cast(LedgerDatabase, self.setup.place)


def dispatch(ledger: SharedLedger, what: Dispatch) -> Summary:
    """Hand a staged run to the workers, wait for them, and report. Raises LedgerError."""
    try:
        with queue.opened(what.place.url) as opened:
            run = hand_out(ledger, opened, what)
        return _attended(what, run)
    except LedgerUnreachableError as error:
        raise _lost(error) from error


def hand_out(ledger: SharedLedger, opened: queue.Queue, what: Dispatch) -> RunRecord:
    """Record a run's settings for its workers, divide it into chunks, and enqueue them. Raises LedgerError."""
    job, facts = what.setup.job, what.facts
    (run,) = ledger.runs(facts.run_id)
    settings = RunSettings.of(job, facts.time, facts.clock, facts.zone).over(ledger.target_count(run.run_no))
    if facts.approval is not None:
        keep_approved(ledger, run.run_no, facts.approval.in_row_order())
    replace(settings, is_approved=facts.approval is not None, closure=facts.closure).keep(ledger, run.run_no)
    ledger.plan_chunks(run.run_no, job.chunk)
    enqueue(ledger, opened, run, what.setup.machine.clock)
    return run


def _attended(what: Dispatch, run: RunRecord) -> Summary:
    """Watch a run until it has ended or is left to its workers; return its summary."""
    ended = anyio.run(_watch, what, run)
    if not ended and not what.caller.leave():
        with what.place.together(_LOCK_WAIT_S) as fresh:
            fresh.stop_run(run.run_no, "The run was stopped by the command that began it.")
        what.caller.log.warning("run.stopping", run_id=run.run_id)
        ended = anyio.run(_watch, what, run)
    with what.place.together(_LOCK_WAIT_S) as fresh:  # the first connection may have been lost
        (run,) = fresh.runs(run.run_id)
        facts = ending.facts_of(fresh, run, what.facts.out, what.setup.machine.clock)
        summary = ending.summary_of(facts, run, fresh.chunks(run.run_no))
        if ended:
            record_end(facts, summary, what.setup)
            return summary
    told = (
        f"The workers continue run {run.run_id}. To follow it: bulk-cancel cluster status. "
        f"To stop it: bulk-cancel cluster stop {run.run_id}. Its files, afterwards: bulk-cancel report {run.run_id}."
    )
    return replace(summary, exit_code=int(Exit.STOPPED), next=told)


def enqueue(ledger: SharedLedger, opened: queue.Queue, run: RunRecord, clock: Clock) -> None:
    """Enqueue all chunks but those of series, which follow later. Doing it twice is harmless."""
    opened.enqueue_all(run.run_id, [chunk for chunk in ledger.chunks(run.run_no) if not chunk.series])
    ending.go_on(ledger, opened, run, clock)


async def _watch(what: Dispatch, run: RunRecord) -> bool:
    """Show the run's progress until it has ended or the person stops watching; return whether it has ended."""
    gone, display, told = anyio.Event(), what.caller.display, False
    with closing(_Observed(what.place.url, run)) as seen:
        async with anyio.create_task_group() as group:
            group.start_soon(watch_signals, lambda _: gone.set(), lambda _: display.stop())
            group.start_soon(what.caller.stop.watch, lambda _: gone.set())
            await to_thread.run_sync(seen.update)
            group.start_soon(show_progress, display, lambda: seen.standing)
            while not (gone.is_set() or seen.ended or seen.failure):
                with anyio.move_on_after(seen.pause_s):
                    await gone.wait()
                await to_thread.run_sync(seen.update)
                if seen.is_untaken and not told:
                    told = True
                    what.caller.log.warning("run.no_worker", run_id=what.facts.run_id, hint=f"{NOBODY} {START_ONE}")
            group.cancel_scope.cancel()
    if seen.failure is not None:
        raise seen.failure
    return seen.ended


class _Observed:
    """The progress of a run, as the ledger showed it last. It survives an unreachable ledger, as the workers do."""

    def __init__(self, url: str, run: RunRecord) -> None:
        self._url = url
        self._run = run
        self._ledger: PostgresLedger | None = None
        self._seen_at = time.monotonic()
        self._began: tuple[float, int] | None = None
        self._untaken_since: float | None = None
        self.is_untaken = False  #: for longer than `_UNTAKEN_S`
        self.pause_s = _POLL_S  #: longer for large runs, whose progress is slow to read
        self.standing = Standing(0, 0, 0, "", 0.0)
        self.ended = False
        self.failure: LedgerError | None = None

    def update(self) -> None:
        """Read the progress from the ledger. An error counts only when it lasts."""
        try:
            self._ledger = self._ledger or PostgresLedger.open_to_read(self._url)
            began = time.monotonic()
            self._read(self._ledger)
            self._seen_at = time.monotonic()
            self.pause_s = max(_POLL_S, 20 * (self._seen_at - began))
        except LedgerError as error:
            self.close()
            if time.monotonic() - self._seen_at > _PATIENCE_S:
                self.failure = _lost(error)

    def close(self) -> None:
        """End the connection."""
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = None

    def _read(self, ledger: PostgresLedger) -> None:
        run_no = self._run.run_no
        chunks, left, counts = ledger.chunks(run_no), ledger.sendable_count(run_no), ledger.targets_by_state(run_no)
        total = sum(chunk.targets for chunk in chunks)
        done, now = total - min(left, total), time.monotonic()
        self._began = self._began or (now, done)
        pace = (done - self._began[1]) / max(now - self._began[0], 1e-9)
        self._untaken_since = (self._untaken_since or now) if is_untaken(chunks) else None
        self.is_untaken = self._untaken_since is not None and now - self._untaken_since >= _UNTAKEN_S
        told = NOBODY if self.is_untaken else _workers(chunks)
        self.standing = Standing(done, total, done, told_states(counts), left / pace if pace else 0.0, told)
        self.ended = ledger.runs(self._run.run_id)[0].status == "ended"


def _lost(error: LedgerError) -> LedgerError:
    """Return the error for a database that is lost after the run began: something may have been sent."""
    if not isinstance(error, LedgerUnreachableError):
        return error
    then = "Workers continue the run when the database is back. To follow it: bulk-cancel cluster status"
    return LedgerLostError(str(error), advice=then)


def _workers(chunks: Sequence[ChunkRecord]) -> str:
    owners = {chunk.owner for chunk in chunks if chunk.owner and not chunk.ended}
    left = sum(not chunk.ended for chunk in chunks)
    return f"{counted(len(owners), 'worker')}, {left} of {counted(len(chunks), 'chunk')} open"
