"""One chunk, carried out by the same runner as a run on one machine, under a hold that fences all it writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.access.connection import settings_of
from bulk_cancel.access.ledgers import clock_of
from bulk_cancel.access.setup import Setup
from bulk_cancel.api.port import Line
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.core.exit_codes import Halt
from bulk_cancel.core.model import Scope
from bulk_cancel.core.states import State
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.commits import GroupCommit
from bulk_cancel.engine.context import SEND_WITHIN_S, Context
from bulk_cancel.engine.counters import REFUSED, Counters
from bulk_cancel.engine.deadline import watch_time
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.engine.shared_limiter import SharedLimiter, slots_of
from bulk_cancel.errors import BulkCancelError, Exit
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ledger.shared import Hold, SharedLedger
from bulk_cancel.settings.accounts import Account
from bulk_cancel.settings.environment import canonical_api

#: How often in the time after which a silent owner loses its chunk it gives a sign of life.
_BEATS = 5


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker brings along for every chunk."""

    setup: Setup
    owner: str  #: names the worker
    silence_s: float  #: a chunk whose owner is silent for so long is taken over

    @property
    def log(self) -> FilteringBoundLogger:
        """Where the worker tells what it does."""
        return self.setup.log

    @property
    def send_within_s(self) -> float:
        """Well before a takeover an intent must have become a send, or it becomes none."""
        return min(SEND_WITHIN_S, self.silence_s / 3)


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """How the work on a chunk ended. Kept with the chunk, as JSON."""

    posts: int = 0
    gets: int = 0
    throttled: int = 0
    exit_code: int | None = None  #: of what halted it
    message: str = ""
    unknown: int = 0
    undecided: int = 0
    due_in_s: float = 0.0
    due_at: float | None = None  #: seconds since the epoch, when reads may settle what is unknown

    def to_json(self) -> str:
        """Return it as the ledger keeps it."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what the ledger kept."""
        return cls(**json.loads(text)) if text else cls()

    @property
    def halt(self) -> Halt | None:
        """What halted the work."""
        return Halt(Exit(self.exit_code), self.message) if self.exit_code is not None else None


class ChunkRun:
    """The work on a chunk under one hold."""

    def __init__(self, ledger: SharedLedger, hold: Hold, run_settings: RunSettings, worker: WorkerSetup) -> None:
        self._ledger = ledger
        self._hold = hold
        self._run_settings = run_settings
        self._worker = worker
        self._intake = Intake()
        self._counters = Counters()

    def stop(self, halt: Halt) -> None:
        """Take nothing new; what is in flight settles."""
        self._intake.close(halt)

    async def run(self) -> ChunkResult:
        """Carry the chunk out. Raises LostChunkError when it has another owner by now, LedgerError when it is away."""
        account = self._worker.setup.accounts.find(self._hold.account)
        machine = self._worker.setup.machine
        clock = await machine.off_loop(clock_of, self._ledger, machine.clock)
        commits = GroupCommit(self._ledger, self._hold.chunk.run_no, lambda: None, machine.off_loop)
        slots = slots_of(commits, account.credential.fingerprint, account.pace, self._hold)
        limiter = SharedLimiter(slots.pace, clock, machine.jitter, slots)
        lines = self._lines(account)
        try:
            context = await self._context(clock, commits, limiter, lines)
            if message := await commits.ask(self._alive):
                context.halt(Exit.STOPPED, message)
            end = await self._carry_out(context)
            if commits.failure is not None:  # a run on one machine ends with it; a chunk is taken up again
                raise commits.failure
            await limiter.finish()
        finally:
            with anyio.CancelScope(shield=True):
                for line in lines:
                    await line.aclose()
        await commits.ask(lambda _: self._ledger.heartbeat(self._hold))
        return self._note(end, clock)

    def _lines(self, account: Account) -> list[Line]:
        setup, timeout_s = self._worker.setup, self._run_settings.timeout_s
        settings = replace(settings_of(setup, account), timeout_s=timeout_s, send_within_s=self._worker.send_within_s)
        make_line = setup.machine.line_factory(settings)
        return [make_line() for _ in range(account.concurrency)]

    async def _context(
        self, clock: Clock, commits: GroupCommit, limiter: SharedLimiter, lines: Sequence[Line]
    ) -> Context:
        run_no = self._hold.chunk.run_no
        if self._run_settings.limits.max_errors:
            counts = await commits.ask(lambda ledger: ledger.target_states(run_no))
            # Those of the whole run and of no earlier one; what each of them came to does not matter here.
            refused = sum(counts.get(state, 0) for state in REFUSED) - self._run_settings.refused_before
            self._counters.states[State.FAILED] = max(0, refused)
        return Context(
            run_no=run_no,
            commits=commits,
            limiter=limiter,
            clock=clock,
            intake=self._intake,
            counters=self._counters,
            limits=self._run_settings.limits_here(clock, self._worker.send_within_s),
            log=self._worker.log,
            lines=lines,
            scope=Scope(self._hold.account, self._hold.chunk),
            api=canonical_api(self._worker.setup.api_url),
        )

    async def _carry_out(self, context: Context) -> RunEnd:
        async with anyio.create_task_group() as surroundings:
            surroundings.start_soon(self._beat, context)
            surroundings.start_soon(watch_time, context)
            end = await Runner(context).run()
            surroundings.cancel_scope.cancel()
        return end

    async def _beat(self, context: Context) -> None:
        """Give signs of life, notice when the run is to be stopped, and stop when the chunk has another owner.

        To the end: what is in flight when the intake closes may take as long as an exchange may.
        """
        while True:
            await anyio.sleep(self._worker.silence_s / _BEATS)
            try:
                message = await context.commits.ask(self._alive)
            except BulkCancelError as error:
                context.halt(error.exit_code, str(error))
                return
            if message:
                context.halt(Exit.STOPPED, message)

    def _alive(self, ledger: Ledger) -> str | None:
        self._ledger.heartbeat(self._hold)
        return ledger.meta(stop_key(self._hold.chunk.run_no))

    def _note(self, end: RunEnd, clock: Clock) -> ChunkResult:
        halt, found = end.halt, end.reconciled
        return ChunkResult(
            posts=self._counters.posts,
            gets=self._counters.gets,
            throttled=self._counters.throttled,
            exit_code=int(halt.exit_code) if halt else None,
            message=halt.message if halt else "",
            unknown=found.unknown,
            undecided=found.undecided,
            due_in_s=found.due_in_s,
            due_at=clock.now() + found.due_in_s if found.unknown else None,
        )


def stop_key(run_no: int) -> str:
    """Return the fact in the ledger that tells every worker to stop working on a run."""
    return f"stop:{run_no}"
