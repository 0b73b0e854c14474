"""The machine of the world: its clocks over boots, and one process at a time, which may freeze or die."""

from __future__ import annotations

import asyncio
import math
import random
import resource
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import apsw
import sniffio

from bulk_cancel.access.machine import Machine
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Answer, Entry, Request, Target
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import SETTLED, TRANSITIONS, Event
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from world.api import Api, Departure
from world.line import WorldLine
from world.loop import Killed, StuckError, VirtualLoop
from world.queue import EPOCH, WorldClock

T = TypeVar("T")
#: Turns of the event loop in which nothing is settled, after which a run is taken for one without end.
MOST_TURNS = 50_000
#: What a turn takes: a clock that stands still would let a wait of a rounding error come back for ever.
TURN_S = 1e-6
#: Share of the calls for which a disk that stalls takes seconds.
_STALLS = 0.04
#: A wait after which a person may lose patience.
_LONG_S = 15.0
#: At most so large a file of the ledger may become on a disk that is full.
_MOST_ROOM = 300_000


@dataclass
class Host:
    """A machine: what its clocks show, over suspensions, settings of the wall clock and boots."""

    clock: WorldClock
    boot: int = 1
    booted_at: float = -5000.0
    suspended_s: float = 0.0  #: since the boot
    wall_wrong_s: float = 0.0  #: what the wall clock is ahead of the truth

    def loop_time(self) -> float:
        """Return the clock by which an event loop sleeps: it stands still while the machine is suspended."""
        return self.clock.now - self.booted_at - self.suspended_s

    def elapsed(self) -> float:
        """Return the time since the boot, as everybody else's clock counts it."""
        return self.clock.now - self.booted_at

    def reboot(self) -> None:
        """Start again; that takes a minute."""
        self.clock.advance(self.clock.now + 60)
        self.boot, self.booted_at, self.suspended_s = self.boot + 1, self.clock.now - 30, 0.0

    def suspend(self, seconds: float) -> None:
        """Let time pass that the monotonic clock does not count."""
        self.suspended_s += seconds
        self.clock.advance(self.clock.now + seconds)

    def process_clock(self) -> Clock:
        """Return the clock of a process that starts now."""
        wall = EPOCH + self.clock.now + self.wall_wrong_s
        return Clock(self.elapsed, TimeBase(f"boot-{self.boot}", wall - self.elapsed()))


@dataclass(frozen=True, slots=True)
class Commit:
    """What one durable transaction recorded."""

    order: int  #: among departures and commits
    at: float
    run: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call of the line for a cancel: when it began and ended, and whether it was trouble."""

    began: float
    ended: float
    is_trouble: bool  #: not sent, or no answer that says anything


@dataclass
class Process:
    """One process of the program: what happens to it, and what it does."""

    run: int  #: its number in the history
    host: Host
    api: Api
    environ: Mapping[str, str]
    state_folder: Path
    rng: random.Random
    is_alive: bool = True
    turns: int = 0
    settled_turn: int = 0  #: in which it last settled a target
    limiters: list[Limiter] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    cancels: list[Exchange] = field(default_factory=list)  #: that came to their end, sent or not
    ledger: Any = None
    loop: VirtualLoop | None = None
    order_of: Callable[[], int] | None = None  #: where others act beside it
    meanwhile: Callable[[str], None] = lambda _: None  #: what others do on its machine in the middle of it
    full_at: int = 0  #: the order of the commit that a full disk refused
    _waits: int = 0  #: that were long
    _kill_at: float = math.inf
    _writes: int = 0
    _checkpoints: int = 0
    _intents: int = 0
    _order: int = 0

    def __post_init__(self) -> None:
        calm, has = self.api.calm, self.api.scenario.has
        self._kill_turn = self._fate("kill", has("kill") and not calm, 0.5)
        share, most = (0.8, 25) if has("haste") else (0.4, 60)
        self._kill_write = self._fate("kill in a commit", has("kill") and not calm, share, most)
        self._freeze_turn = self._fate("freeze", has("freeze") and not calm, 0.7)
        self._suspend_turn = self._fate("suspend", has("suspend") and not calm, 0.7)
        self._signal_turn = self._fate("signal", has("signal") and not calm, 0.6)
        self._full_write = self._fate("full disk", has("full_disk") and not calm, 0.6, 40)
        self._room = self._of("room").randrange(4096, _MOST_ROOM)
        self._swap_checkpoint = self._fate("swapped at a checkpoint", has("swapped") and not calm, 0.5, 4)
        self._second_turn = self._fate("second", has("second") and not calm, 0.7, 1000)
        self._swap_turn = self._fate("swapped", has("swapped") and not calm, 0.6, 1000)
        self._fateful = {self._freeze_turn, self._suspend_turn, self._signal_turn}
        self._fateful |= {self._second_turn, self._swap_turn, self._kill_turn}
        self._kill_wait = self._fate("killed while it waits", has("kill") and not calm, 0.4, 4)
        self._slow = has("slow_disk") and not calm
        self._stalls = has("stalls") and not calm
        self._freeze_intent = self._fate("freeze at an intent", has("freeze") and not calm, 0.5, 20)
        self._stands_s = self._of("stands").choice((2.0, 8.0, 14.0, 20.0, 200.0, 3000.0))

    def _of(self, name: str) -> random.Random:
        return self.api.scenario.chance.of("process", self.run, name)

    def _fate(self, name: str, may: bool, share: float, most: int = 3000) -> int:
        """Return at which turn or write something happens; never is 0."""
        rng = self._of(name)
        meets, turn = rng.random() < share, int(most ** rng.random())
        return turn if may and meets else 0

    @cached_property
    def machine(self) -> Machine:
        """What the program is given as its machine."""
        return Machine(
            environ=self.environ,
            clock=self.host.process_clock(),
            jitter=self._of("jitter"),
            state_folder=self.state_folder,
            line_factory=self._line_factory,
            make_limiter=self._make_limiter,
            off_loop=self._off_loop,
            run_loop=self._run_loop,
        )

    def _line_factory(self, settings: ApiSettings) -> Callable[[], WorldLine]:
        return lambda: WorldLine(self, settings)

    def _make_limiter(self, pace: Pace, clock: Clock, tat: float, jitter: random.Random) -> Limiter:
        limiter = Limiter(pace, clock, tat, jitter)
        self.limiters.append(limiter)
        return limiter

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _run_loop(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        self.loop = VirtualLoop(self, self._of("order"))

        async def begin() -> T:
            return await function(*arguments)

        try:
            return self.loop.carry_out(begin())
        except Killed:
            self.die()
            raise
        finally:
            self.loop = None

    def monotonic(self) -> float:
        return self.host.loop_time()

    def turn(self) -> int | None:
        self.turns += 1
        self.host.clock.advance(self.host.clock.now + TURN_S)
        if self.turns - self.settled_turn > MOST_TURNS:
            raise StuckError(f"nothing was settled in {MOST_TURNS} turns of the loop")
        if not self.is_alive:
            return 0
        if self.host.clock.now >= self._kill_at:
            self._happens("killed")
            return 0
        if self.turns not in self._fateful:
            return None
        if self.turns == self._freeze_turn:
            self._stands_still()
        if self.turns == self._suspend_turn:
            self._happens("suspended", 10 * self._stands_s)
            self.host.suspend(10 * self._stands_s)
        if self.turns == self._signal_turn and self.loop is not None:
            self._happens("SIGTERM")
            self.loop.signal(signal.SIGTERM)
        if self.turns in (self._second_turn, self._swap_turn):
            self._others_act("second" if self.turns == self._second_turn else "swapped")
        if self.turns == self._kill_turn:
            self._happens("killed")
            return self.rng.randrange(1, 4)
        return None

    def _others_act(self, what: str) -> None:
        """Another process does something now, to its end: this one stands still meanwhile."""
        running, library = asyncio._get_running_loop(), sniffio.thread_local.name
        asyncio._set_running_loop(None)
        try:
            self.meanwhile(what)
        finally:
            asyncio._set_running_loop(running)
            sniffio.thread_local.name = library

    def _stands_still(self) -> None:
        self._happens("frozen", self._stands_s)
        self.host.clock.advance(self.host.clock.now + self._stands_s)

    def _happens(self, what: str, *more: Any) -> None:
        self.api.count(what)
        self.api.note("machine", what, *more)

    def sleep_until(self, when: float, is_ready: Callable[[], bool]) -> None:
        clock = self.host.clock
        self._loses_patience(when - self.monotonic())
        while not is_ready() and self.monotonic() < when - 1e-9:
            to = min(clock.now + when - self.monotonic(), self._kill_at)
            if math.isinf(to):
                if clock.next is None:
                    raise StuckError("nothing runs, and nothing is to come")
                to = clock.next
            clock.advance(to, is_ready)
            if clock.now >= self._kill_at:
                return

    def _loses_patience(self, waits_s: float) -> None:
        """A person kills what seems to do nothing."""
        self._waits += waits_s > _LONG_S
        if waits_s > _LONG_S and self._waits == self._kill_wait:
            self._kill_at = self.host.clock.now + self.rng.uniform(_LONG_S / 2, _LONG_S)

    def die(self) -> None:
        """Be dead: no answer reaches the process, and closing its ledger copies nothing into the main file."""
        self.is_alive = False
        if self.ledger is not None:
            leave_wal(self.ledger)

    # -- the disk -----------------------------------------------------------------------------------------------------

    async def _off_loop(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the ledger, and take the time that the disk takes; the process may die before, within or after it."""
        await anyio.lowlevel.checkpoint()
        called = (getattr(function, "__self__", None), *arguments)
        ledger = next(one for one in called if isinstance(one, SqliteLedger))
        if ledger is not self.ledger:
            self.ledger = ledger
            self._attend_checkpoints(ledger._connection)
        self._writes += 1
        takes_s = self.takes_s()
        entries = tuple(arguments[1]) if function == ledger.append else ()
        with anyio.CancelScope(shield=True):
            if entries:
                await asyncio.sleep(takes_s / 2)
            result = await self._called(function, arguments, ledger)
            self.durable(entries)
            freezes = self.freezes_now(entries)
            if self._writes == self._kill_write and self.rng.random() < 0.5:
                await self._dies("killed after a commit")
            await asyncio.sleep(takes_s / 2)
        if freezes:
            self._stands_still()
            if self._kill_turn:
                self._kill_turn = self.turns + self.rng.randrange(1, 20)
                self._fateful |= {self._kill_turn}
        return result

    def takes_s(self) -> float:
        """Return what the disk takes for the next call."""
        usual = self.rng.choice((0.0, 0.002, 0.05, 0.4)) if self._slow else 0.001
        if not self._stalls or self.rng.random() > _STALLS:
            return usual
        self.api.count("the disk stalls")
        return self.rng.choice((4.0, 9.0, 20.0))

    def freezes_now(self, entries: Sequence[object]) -> bool:
        """Whether it stands still at these entries: its send is to be the next thing that happens."""
        self._intents += any(isinstance(entry, Entry) and is_intent(entry) for entry in entries)
        freezes = 0 < self._freeze_intent <= self._intents and not self.api.calm
        self._freeze_intent = 0 if freezes else self._freeze_intent
        return freezes

    async def _called(self, function: Callable[..., T], arguments: tuple[Any, ...], ledger: Any) -> T:
        if 0 < self._full_write <= self._writes and function == ledger.append:
            try:
                with files_end_at(self._room):
                    return function(*arguments)
            except BulkCancelError:
                self._happens("full disk")
                self.full_at = self.full_at or self.order()
                raise
        if self._writes == self._kill_write and self.rng.random() < 0.6:
            with Within(ledger, self.rng.randrange(1, 12), Killed()):
                try:
                    return function(*arguments)
                except Killed:
                    pass
            await self._dies("killed within a commit")
        return function(*arguments)

    def _attend_checkpoints(self, connection: Any) -> None:
        """Have others act at the end of a checkpoint, before the program looks at what it has made."""
        real = connection.wal_checkpoint

        def checkpoint(*arguments: Any) -> Any:
            made = real(*arguments)
            self._checkpoints += 1
            if self._checkpoints == self._swap_checkpoint:
                self._others_act("swapped at a checkpoint")
            return made

        connection.wal_checkpoint = checkpoint

    async def _dies(self, what: str) -> None:
        self._happens(what)
        self.is_alive = False
        await anyio.sleep_forever()

    def durable(self, entries: tuple[Entry, ...]) -> None:
        """Note what is durable from now on."""
        if entries:
            self.commits.append(Commit(self.order(), self.host.clock.now, self.run, entries))
        if any(TRANSITIONS[entry.was, entry.event] in SETTLED for entry in entries):
            self.settled_turn = self.turns
        for entry in entries:
            self.api.note("event", entry.target_id, entry.event.value, entry.attempt_no)

    # -- the network --------------------------------------------------------------------------------------------------

    def order(self) -> int:
        """Number what happens: commits and departures in one order."""
        if self.order_of is not None:
            return self.order_of()
        self._order += 1
        return self._order

    def depart(self, began: float, kind: str, account: str, target: Target | None, request: Request) -> Departure:
        """Let the first byte of a request leave now."""
        number = len(self.api.departures) + 1
        departure = Departure(number, began, self.host.clock.now, self.run, kind, account, target, request.user_id)
        departure.order, departure.wall = self.order(), EPOCH + began + self._wrong_s
        self.api.departures.append(departure)
        self.api.note(
            "left", number, kind, target.appointment_id if target else "", (target.attendee_id or "") if target else ""
        )
        return departure

    @property
    def _wrong_s(self) -> float:
        """How wrong the clock is that it goes by: over a ledger that workers share, the database's."""
        return 0.0 if self.api.scenario.has("workers") else self.host.wall_wrong_s

    def answered(self, departure: Departure | None, answer: Answer, target: Target | None, began: float) -> None:
        """Note that the program has an answer from here on; None: nothing of the request left."""
        now = self.host.clock.now
        if departure is None:
            self.api.note("not sent", target.appointment_id if target else "")
        else:
            departure.answered_at, departure.answer = now, answer
            self.api.note("answered", departure.number, answer.status or 0, answer.message)
        if target is not None:
            status = answer.status or 500
            self.cancels.append(Exchange(began, now, status >= 500 or status in (408, 409, 421, 425)))


def leave_wal(ledger: Any) -> None:
    """Have SQLite leave the write-ahead log as a kill leaves it."""
    ledger._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """For the length of a block the kernel lets no file grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Within:
    """Raises an error at the n-th statement of what is called within the block, as a kill does."""

    def __init__(self, ledger: Any, statement: int, error: BaseException) -> None:
        self._ledger, self._left, self._error = ledger, statement, error

    def __enter__(self) -> None:
        self._ledger._connection.exec_trace = self._trace

    def __exit__(self, *_: object) -> None:
        self._ledger._connection.exec_trace = None

    def _trace(self, *_: object) -> bool:
        self._left -= 1
        if self._left == 0:
            raise self._error
        return True


def is_intent(entry: Entry) -> bool:
    """Whether an entry announces a send."""
    return entry.event is Event.INTENT
