"""Carries out one chunk with the same runner as a run on one machine, under a lease that fences its writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Self

import anyio

from bulk_cancel.access.ledgers import clock_of
from bulk_cancel.access.limit_sharing import keep_ahead
from bulk_cancel.access.setup import Setup
from bulk_cancel.api.port import Line
from bulk_cancel.cluster.approved_rows import approved_of
from bulk_cancel.cluster.kept import of_ours
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.core.actions import Approved
from bulk_cancel.core.clock import SEND_WITHIN_S
from bulk_cancel.core.exit_codes import Halt, exceeds, too_many_refused
from bulk_cancel.core.model import Entry, Scope, Target
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.commits import GroupCommit, OffLoop, T
from bulk_cancel.engine.context import Context
from bulk_cancel.engine.counters import Counters
from bulk_cancel.engine.deadline import watch_time
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.engine.shared_limiter import SharedLimiter, Slots
from bulk_cancel.engine.unknowns import open_due_in_s
from bulk_cancel.errors import BulkCancelError, Exit, LedgerError
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ledger.shared import Lease, SharedLedger
from bulk_cancel.settings.accounts import Account
from bulk_cancel.settings.environment import canonical_api

#: Number of heartbeats within the time after which a silent owner loses its chunk.
_BEATS = 5


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """The setup of a worker, for all its chunks."""

    setup: Setup
    owner: str  #: names the worker
    silence_s: float  #: seconds without a heartbeat after which a chunk is taken over

    @property
    def send_within_s(self) -> float:
        """Seconds after its intent within which a cancel has to leave: well before a takeover."""
        return min(SEND_WITHIN_S, self.silence_s / 3)


#: Fields of a result in the ledger, with their types.
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "unseen": int,
    "exit_code": int,
    "message": str,
    "unknown": int,
    "due_at": (int, float),
}


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """How the work on a chunk ended. Kept with the chunk, as JSON."""

    unseen: int = 0  #: targets that were sent without a reading right before
    exit_code: int | None = None  #: of what halted it
    message: str = ""
    unknown: int = 0
    due_at: float | None = None  #: when reads may settle the unknown ones, seconds since the epoch
    comes_back_in_s: float | None = None  #: seconds until it is worked on again; None: it has ended

    def to_json(self) -> str:
        """Return it as the ledger keeps it."""
        return json.dumps({name: value for name, value in asdict(self).items() if value and name != "comes_back_in_s"})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a result from the ledger. Raises ConfigError for one that this program did not write."""
        with of_ours("The note of a chunk"):
            found = json.loads(text or "{}")
            if not all(isinstance(value, _KINDS[name]) for name, value in found.items()):
                raise TypeError(text)
            return cls(**found)

    @property
    def is_of_this_worker(self) -> bool:
        """Whether this worker's token or settings halted it, so that another worker may carry it out."""
        return self.exit_code in (Exit.CREDENTIAL, Exit.CONFIG)

    @property
    def halt(self) -> Halt | None:
        """What halted the work."""
        return Halt(Exit(self.exit_code), self.message) if self.exit_code is not None else None


class _Commits(GroupCommit):
    """The commits of a chunk. After each, `heed` checks whether the run is to stop."""

    def __init__(self, ledger: SharedLedger, run_no: int, off_loop: OffLoop, heed: Callable[[], None]) -> None:
        super().__init__(ledger, run_no, lambda: None, off_loop)
        self._heed = heed

    async def record(self, *entries: Entry) -> None:
        await super().record(*entries)
        self._heed()

    async def ask(self, question: Callable[[Ledger], T]) -> T:
        found = await super().ask(question)
        self._heed()
        return found


class ChunkRun:
    """The work on a chunk under one lease. `counters` are kept for the worker's next lease of the chunk."""

    def __init__(
        self, ledger: SharedLedger, lease: Lease, run_settings: RunSettings, worker: WorkerSetup, counters: Counters
    ) -> None:
        self._ledger = ledger
        self._lease = lease
        self._run_settings = run_settings
        self._worker = worker
        self._intake = Intake()
        self._counters = counters

    def stop(self, halt: Halt) -> None:
        """Take nothing new; requests in flight settle."""
        self._intake.close(halt)

    async def run(self) -> ChunkResult:
        """Carry out the chunk. Raises LostChunkError when it has another owner, LedgerError when it is unreachable."""
        account = self._worker.setup.accounts.find(self._lease.account)
        machine = self._worker.setup.machine
        clock = await machine.off_loop(clock_of, self._ledger, machine.clock)
        commits = _Commits(self._ledger, self._lease.chunk.run_no, machine.off_loop, self._heed)
        slots = Slots(commits, account.credential.fingerprint, account.pace, self._lease)
        limiter = SharedLimiter(clock, machine.jitter, slots)
        lines = self._lines(account)
        try:
            context = await self._context(clock, commits, limiter, lines)
            await self._give_sign(commits)
            end = await self._carry_out(context)
            if commits.failure is not None:  # a run on one machine ends with it; a chunk is taken up again
                raise commits.failure
            await limiter.finish()
        finally:
            with anyio.CancelScope(shield=True):
                await self._keep_pause(limiter, account)
                for line in lines:
                    await line.aclose()
        await self._give_sign(commits)
        return await commits.ask(partial(self._result, end, clock))

    async def _keep_pause(self, limiter: SharedLimiter, account: Account) -> None:
        """Have the next lease on this machine know of a pause that the ledger cannot be told now."""
        with suppress(LedgerError):
            await limiter.tell_pause()
        if limiter.has_untold_pause:
            keep_ahead(self._worker.setup, account, limiter.record().tat_mono - limiter.clock.monotonic())

    def _lines(self, account: Account) -> list[Line]:
        setup, timeout_s = self._worker.setup, self._run_settings.timeout_s
        settings = replace(setup.api_settings(account.name), timeout_s=timeout_s)
        make_line = setup.machine.line_factory(settings)
        return [make_line() for _ in range(min(account.concurrency, setup.machine.room_for_connections()))]

    async def _context(
        self, clock: Clock, commits: GroupCommit, limiter: SharedLimiter, lines: Sequence[Line]
    ) -> Context:
        return Context(
            run_no=self._lease.chunk.run_no,
            commits=commits,
            limiter=limiter,
            clock=clock,
            intake=self._intake,
            counters=self._counters,
            limits=self._run_settings.limits_here(clock, self._worker.send_within_s),
            log=self._worker.setup.log,
            lines=lines,
            scope=Scope(self._lease.account, self._lease.chunk),
            approved=await commits.ask(self._approved),
            api=canonical_api(self._worker.setup.api_url),
        )

    def _approved(self, ledger: Ledger) -> Mapping[Target, Approved] | None:
        return approved_of(ledger, self._lease.chunk) if self._run_settings.is_approved else None

    async def _carry_out(self, context: Context) -> RunEnd:
        async with anyio.create_task_group() as surroundings:
            surroundings.start_soon(self._beat, context)
            surroundings.start_soon(watch_time, context)
            end = await Runner(context).run()
            surroundings.cancel_scope.cancel()
        return end

    def _heed(self) -> None:
        """Stop when the run was stopped, or its workers together have too many refusals."""
        standing = self._ledger.standing
        if standing.stopped:
            self.stop(Halt(Exit.STOPPED, standing.stopped))
        elif exceeds(standing.refused, 0, self._run_settings.limits.max_errors):
            self.stop(Halt(Exit.STOPPED, too_many_refused(standing.refused)))

    async def _beat(self, context: Context) -> None:
        """Send heartbeats, and stop when the chunk has another owner.

        They go on after the intake has closed, since requests may still be in flight.
        """
        while True:
            await anyio.sleep(self._worker.silence_s / _BEATS)
            try:
                await self._give_sign(context.commits)
            except BulkCancelError as error:
                context.halt(error.exit_code, str(error))
                return

    async def _give_sign(self, commits: GroupCommit) -> None:
        """Send a heartbeat, with the requests since the last one that succeeded."""
        gets, throttled = self._counters.gets, self._counters.throttled
        await commits.ask(lambda _: self._ledger.heartbeat(self._lease, gets, throttled))
        self._counters.gets -= gets
        self._counters.throttled -= throttled

    def _result(self, end: RunEnd, clock: Clock, ledger: Ledger) -> ChunkResult:
        halt, found = end.halt, end.reconciled
        waits = self._run_settings.limits.wait and halt is None
        return ChunkResult(
            unseen=self._counters.unseen,
            exit_code=int(halt.exit_code) if halt else None,
            message=halt.message if halt else "",
            unknown=found.unknown,
            due_at=clock.now() + found.due_in_s if found.unknown else None,
            comes_back_in_s=self._comes_back_in_s(found, clock, ledger) if waits else None,
        )

    def _comes_back_in_s(self, found: Reconciled, clock: Clock, ledger: Ledger) -> float | None:
        """Return the seconds until reads may settle unknown targets here, or a series that blocks this chunk."""
        if found.unknown > found.undecided and found.due_in_s > 0:  # else their reads fail, and may for ever
            return found.due_in_s + 1.0
        chunk, settle_s = self._lease.chunk, self._run_settings.limits.settle_s
        if not ledger.may_send_more(chunk.run_no, Scope(self._lease.account, chunk)):
            return None
        for one in self._ledger.chunks(chunk.run_no):
            if one.chunk != chunk and one.series == chunk.series and not one.ended:
                due_in_s = open_due_in_s(ledger, clock, settle_s, Scope(one.account, one.chunk))
                if due_in_s is not None:  # once due, it takes as long as its reads do, and behind a cache hours
                    return max(due_in_s, settle_s / 10) + 1.0
        return None
