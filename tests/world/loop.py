"""An asyncio loop in virtual time: nothing waits, the seed orders what is ready, and a kill is no next step.

`anyio` keeps the tasks of a scope in a set, so the order in which handles become ready may differ between processes:
they are sorted by their tasks' numbers before they are shuffled.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import gc
import heapq
import math
import random
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import sniffio

T = TypeVar("T")
_MOST_DEAD = 2000
_dead: list[Any] = []  # tasks of killed processes: nothing of them may ever run again, not even when they are freed


class Killed(BaseException):
    """The played process is dead: nothing of it runs any more."""


class StuckError(Exception):
    """Nothing is ready, no timer runs, and the world has nothing to come either."""


class Driver(Protocol):
    """What the loop asks before each of its turns, and when nothing is ready."""

    def monotonic(self) -> float:
        """Return the process's clock, seconds."""

    def turn(self) -> int | None:
        """Return how many handles of this turn still run before the process dies; None: all of them."""

    def sleep_until(self, when: float, is_ready: Callable[[], bool]) -> None:
        """Let time pass until `when` on the process's clock, or until something is ready. Infinite: no timer runs."""


class _NumberedTask(asyncio.Task[Any]):
    number = 0


class VirtualLoop(asyncio.base_events.BaseEventLoop):
    """A loop without sockets, pipes and threads."""

    def __init__(self, driver: Driver, order: random.Random) -> None:
        super().__init__()
        self._driver = driver
        self._lets: Callable[[asyncio.Handle], bool] = getattr(driver, "lets", lambda _: True)
        self._order = order
        self._tasks = 0
        self._all_tasks: list[_NumberedTask] = []
        self._clock_resolution = 1e-9
        self._handlers: dict[int, asyncio.Handle] = {}
        self.set_task_factory(self._numbered)  # type: ignore[arg-type]

    def _numbered(self, loop: VirtualLoop, coroutine: Coroutine[Any, Any, T], **more: Any) -> asyncio.Task[T]:
        task = _NumberedTask(coroutine, loop=loop, **more)
        self._tasks += 1
        task.number = self._tasks
        self._all_tasks.append(task)
        return task

    def time(self) -> float:
        return self._driver.monotonic()

    def _process_events(self, event_list: object) -> None: ...

    def _write_to_self(self) -> None: ...

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        self._handlers[sig] = asyncio.Handle(callback, args, self, contextvars.copy_context())

    def remove_signal_handler(self, sig: int) -> bool:
        return self._handlers.pop(sig, None) is not None

    def signal(self, number: int) -> None:
        """Deliver a signal, if the program listens to it."""
        if handle := self._handlers.get(number):
            self._ready.append(handle)

    def _run_once(self) -> None:
        alive = self._driver.turn()
        if alive == 0:
            raise Killed
        self._drop_cancelled()
        if not self._ready and not self._stopping:
            when = self._scheduled[0]._when if self._scheduled else math.inf
            self._driver.sleep_until(when, lambda: bool(self._ready))
        if self._scheduled:
            self._take_due()
        handles = list(self._ready)
        self._ready.clear()
        if len(handles) > 1:
            handles.sort(key=_task_number)
            self._order.shuffle(handles)
        for handle in handles[:alive]:
            if not handle._cancelled and self._lets(handle):
                handle._run()
        if alive is not None:
            raise Killed

    def _drop_cancelled(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(self._scheduled)._scheduled = False

    def _take_due(self) -> None:
        end = self.time() + self._clock_resolution
        while self._scheduled and self._scheduled[0]._when < end:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            if handle._cancelled:
                self._timer_cancelled_count -= 1
            else:
                self._ready.append(handle)

    def carry_out(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end. Raises Killed, and then nothing of it runs any more."""
        sniffio.thread_local.name = "asyncio"  # else anyio asks for the running task at each of its steps
        try:
            return self.run_until_complete(coroutine)
        except (Killed, StuckError):
            self._bury()
            raise
        finally:
            sniffio.thread_local.name = None
            self._ready.clear()
            self._scheduled.clear()
            self.close()

    def carry_on(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; what else runs in the loop stands still until the next one."""
        sniffio.thread_local.name = "asyncio"
        try:
            return self.run_until_complete(coroutine)
        finally:
            sniffio.thread_local.name = None

    def end(self) -> None:
        """Nothing runs any more."""
        self._bury()
        self._ready.clear()
        self._scheduled.clear()
        self.close()

    def _bury(self) -> None:
        for task in self._all_tasks:
            if not task.done():
                task._log_destroy_pending = False
                _dead.append(task)
        if len(_dead) > _MOST_DEAD:
            bury_the_dead()


def bury_the_dead() -> None:
    """Free what killed processes left. Their frames unwind then, into a loop that is closed: nobody listens to that."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        _dead.clear()
        gc.collect()
    finally:
        sys.unraisablehook = hook


atexit.register(bury_the_dead)


def _task_number(handle: asyncio.Handle) -> int:
    return getattr(getattr(handle._callback, "__self__", None), "number", 0)
