"""Several workers in one virtual loop, over one database: each may be killed, frozen, thawed, told to stop, restarted.

`cluster/worker.py`, `chunk.py`, `stalled.py`, `completion.py` and `queue.py` are the program's; the database and DBOS
are played. A task belongs to the worker in whose context it was made: what is ready of a frozen one is kept until it is
thawed, and nothing of a dead one runs any more, while the others go on.
"""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

import anyio
import anyio.lowlevel
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bulk_cancel.access.setup import set_up
from bulk_cancel.cluster.chunk import WorkerSetup
from bulk_cancel.cluster.queue import Queue
from bulk_cancel.cluster.stalled import rescue
from bulk_cancel.cluster.worker import Worker
from bulk_cancel.core.model import Entry
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ledger.shared import SharedLedger
from bulk_cancel.settings.job import Job
from world.api import Api
from world.database import Database, Session
from world.fleet_rules import FleetRules
from world.loop import StuckError, VirtualLoop
from world.process import TURN_S, Commit
from world.queue import WorldClock
from world.worker import WorkerProcess
from world.workflows import Workflow, Workflows

SILENCE_S = 90.0
#: Turns of the event loop in one run after which it is taken for one without end.
MOST_TURNS = 100_000
_AT_ONCE = 4
_RESCUE_EVERY_S = 15.0
_DRAIN_S = 60.0
_of: ContextVar[WorkerProcess | None] = ContextVar("the worker whose task this is", default=None)
_WARNINGS = structlog.make_filtering_bound_logger("warning")


class Fleet:
    """The workers of a history. They live on between its runs."""

    def __init__(self, api: Api, clock: WorldClock, path: Any, make: Callable[[str, int], WorkerProcess]) -> None:
        self._api, self._clock, self._make = api, clock, make
        chance = api.scenario.chance
        self._faults = chance.of("database")
        self._loses = chance.of("how often the database is lost").choice((0.02, 0.02, 0.1))
        self.database = Database(path, clock, self._breaks, self._committed)
        self.workflows = Workflows(self.database, lambda: self._breaks(None))
        self._loop = VirtualLoop(self, chance.of("fleet"))
        self._names = [f"worker-{number}" for number in range(1, 1 + chance.of("fleet size").choice((1, 2, 2, 3)))]
        self._alive: dict[str, WorkerProcess] = {}
        self._carried: list[tuple[Any, ...]] = []  #: the chunks at which somebody is at work, or died
        self._lives = self._turns = self._order = 0
        self._busy_at = 0.0
        self.commits: list[Commit] = []  #: since the judge looked
        self.bugs: list[str] = []
        self._job: Job | None = None
        self.rules = FleetRules(self.database)
        self._log = structlog.wrap_logger(structlog.ReturnLogger(), [self.rules.told], wrapper_class=_WARNINGS)
        if api.scenario.has("database"):
            self._plan_absences()

    # -- the driver of the loop ---------------------------------------------------------------------------------------

    def monotonic(self) -> float:
        return self._clock.now

    def turn(self) -> int | None:
        self._turns += 1
        self._clock.advance(self._clock.now + TURN_S)
        if self._turns > MOST_TURNS:
            raise StuckError(f"no end after {MOST_TURNS} turns of the loop")
        return None

    def sleep_until(self, when: float, is_ready: Callable[[], bool]) -> None:
        clock = self._clock
        while not is_ready() and clock.now < when - 1e-9:
            to = when
            if math.isinf(to):
                if clock.next is None:
                    raise StuckError("nothing runs, and nothing is to come")
                to = clock.next
            clock.advance(to, is_ready)

    def lets(self, handle: asyncio.Handle) -> bool:
        """Whether a handle may run: those of nobody, and of workers who are awake."""
        context = handle._context  # type: ignore[attr-defined]
        worker = context.get(_of)
        return worker is None or worker.lets(handle)

    def go_on(self, kept: list[asyncio.Handle]) -> None:
        """Have run what was kept."""
        self._loop._ready.extend(kept)
        kept.clear()

    def order(self) -> int:
        """Number what happens: commits and departures in one order."""
        self._order += 1
        return self._order

    # -- the database -------------------------------------------------------------------------------------------------

    def _breaks(self, session: Session | None) -> int | None:
        api = self._api
        if api.calm or not api.scenario.has("database") or (session is not None and session.owner is None):
            return None
        drawn = self._faults.random()
        if drawn >= self._loses * api.scenario.level:
            return None
        api.count("a connection to the database is lost")
        return int(self._faults.random() < 0.5)

    def _committed(self, session: Session, entries: Sequence[Entry]) -> None:
        worker = session.owner
        if entries and isinstance(worker, WorkerProcess):
            self.rules.committed(session, worker.run, entries)
            self.commits.append(Commit(self.order(), self._clock.now, worker.run, tuple(entries)))
            for entry in entries:
                self._api.note("event", entry.target_id, entry.event.value, entry.attempt_no)

    def _plan_absences(self) -> None:
        rng = self._api.scenario.chance.of("absences")
        for _ in range(rng.choice((0, 1, 2))):
            begins = rng.choice((rng.uniform(0.05, 3), rng.uniform(0, 200), rng.uniform(0, 4000)))
            self._clock.at(begins, lambda: self._is_away(is_away=True))
            self._clock.at(begins + rng.choice((2, 20, 200, 1200)), lambda: self._is_away(is_away=False))

    def _is_away(self, *, is_away: bool) -> None:
        if self._api.calm and is_away:
            return
        self._api.count("the database is away") if is_away else None
        self._api.note("machine", "the database is", "away" if is_away else "back")
        if is_away:
            self.database.go()
        else:
            self.database.is_away = False

    # -- lives --------------------------------------------------------------------------------------------------------

    def watch(self, run_id: str, job: Job, at_most_s: float) -> bool:
        """Let the workers work until the run has ended; stop it after a while; tell whether it has ended."""
        self._turns, self._job = 0, job
        self.rules.begins(run_id, job)
        return bool(self._loop.carry_on(self._watch(run_id, at_most_s)))

    def idle(self, job: Job, seconds: float) -> None:
        """Let the workers work while the operator does nothing."""
        self._turns, self._job = 0, job
        self._loop.carry_on(self._idle(seconds))

    async def _idle(self, seconds: float) -> None:
        self._bear_all()
        await asyncio.sleep(seconds)

    def _bear_all(self) -> None:
        for name in self._names:
            if name not in self._alive:
                self._bear(name)

    async def _watch(self, run_id: str, at_most_s: float) -> bool:
        self._bear_all()
        rng = self._api.scenario.chance.of("stopped", run_id)
        if self._api.scenario.has("stopped") and not self._api.calm:
            at_most_s = rng.choice((rng.uniform(0, 1), rng.uniform(0, 20), at_most_s))
        for until_s, then in ((at_most_s, True), (3600.0, False)):
            until = self._clock.now + until_s
            while self._clock.now < until:
                await asyncio.sleep(min(2.0, max(0.01, until - self._clock.now)))
                ledger = self.database._ledger
                assert ledger is not None
                if ledger.runs(run_id)[0].status == "ended":
                    return True
            if then:
                self.stop(run_id)
        return False

    def stop(self, run_id: str) -> None:
        """Type `cluster stop`."""
        with suppress(BulkCancelError):
            session = self.database.connect(lambda: 0.0)
            self._api.note("machine", "the operator stops the run")
            session.stop_run(session.runs(run_id)[0].run_no, "The run was stopped.")
            session.close()

    def _bear(self, name: str) -> None:
        self._lives += 1
        worker = self._alive[name] = self._make(name, self._lives)
        worker.fleet, worker.order_of = self, self.order
        context = copy_context()
        context.run(_of.set, worker)
        worker.tasks.append(self._loop.create_task(self._live(worker), context=context))

    def buried(self, worker: WorkerProcess) -> None:
        """A worker has died: what it held is free, and it starts again after a while."""
        self.rules.is_uncounted |= worker.at_work > 0
        self.database.of_the_dead(worker)
        del self._alive[worker.name]
        delay_s = worker.rng.choice((1.0, 20.0, 200.0))
        context = copy_context()
        context.run(_of.set, None)
        self._loop.create_task(self._born_again(worker.name, delay_s), context=context)

    async def _born_again(self, name: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        if name not in self._alive:
            self._bear(name)

    async def _live(self, worker: WorkerProcess) -> None:
        try:
            await self._work(worker)
            if worker.is_alive:
                worker.die()
        except Exception as error:
            self.bugs.append("".join(traceback.format_exception(error)[-6:]))

    async def _work(self, process: WorkerProcess) -> None:
        assert self._job is not None
        setup = set_up(self._job, self._log, process.machine)
        owner = f"{process.name}/{process.run}"
        options = WorkerSetup(setup, owner, SILENCE_S)
        opened = Queue(self.workflows)  # type: ignore[arg-type]
        worker = process.worker = Worker(options, opened, self._open_ledger)
        self.workflows.start(process.name)
        rescues_at = self._clock.now + process.rng.uniform(0, _RESCUE_EVERY_S)
        async with anyio.create_task_group() as group:
            while not process.is_stopping:
                self._claim(process, worker, group)
                if self._clock.now >= rescues_at:
                    rescues_at = self._clock.now + _RESCUE_EVERY_S
                    with suppress(BulkCancelError, SQLAlchemyError):
                        await process.machine.off_loop(rescue, self._open_ledger, opened, options)
                await asyncio.sleep(self._poll_s())
            until = self._clock.now + _DRAIN_S
            while process.at_work and self._clock.now < until:  # noqa: ASYNC110 - as DBOS does
                await asyncio.sleep(0.5)
            if process.at_work:
                process.die()
                await anyio.sleep_forever()

    def _poll_s(self) -> float:
        """Look as often as DBOS while there is something, and less often when nothing has been there for long."""
        now = self._clock.now
        if self.workflows.next_at() <= now + 0.5:
            self._busy_at = now
        return min(_RESCUE_EVERY_S, 0.5 + (now - self._busy_at) / 4)

    def _open_ledger(self) -> SharedLedger:
        process = _of.get()
        assert process is not None
        return self.database.connect(process.host.elapsed, process)

    def _claim(self, process: WorkerProcess, worker: Worker, group: Any) -> None:
        if not self.database.is_away:
            for one, claim in self.workflows.claim(process.name, _AT_ONCE - process.at_work):
                process.at_work += 1
                group.start_soon(self._execute, process, worker, one, claim)

    async def _execute(self, process: WorkerProcess, worker: Worker, one: Workflow, claim: int) -> None:
        status = "ERROR"
        self.rules.is_uncounted |= one.arguments in self._carried  # one of the two does not know yet that it lost it
        self._carried.append(one.arguments)
        try:
            await worker.carry_chunk(*one.arguments)
            status = "SUCCESS"
        except (BulkCancelError, SQLAlchemyError) as error:
            self._api.note("machine", "a workflow failed", one.workflow_id, type(error).__name__)
            self.rules.is_uncounted = True
        except Exception as error:
            self.bugs.append("".join(traceback.format_exception(error)[-6:]))
        self._carried.remove(one.arguments)
        while self.database.is_away:  # noqa: ASYNC110 - as DBOS does
            await asyncio.sleep(1.0)
        self.workflows.end(one, claim, status)
        process.at_work -= 1

    def start_anew(self) -> None:
        """All is well again: the database is there, and a person has started the workers anew."""
        self.database.is_away = False
        for worker in list(self._alive.values()):
            worker.die()

    def end(self) -> None:
        """End the history: nothing of any worker runs any more."""
        self._loop.end()
        self.database.close()
