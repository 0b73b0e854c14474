"""A request to stop a run, from any thread: the run drains as it does at a signal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial


class Stop:
    """Asks one run to drain. A request before the run begins is kept for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tell: Callable[[], object] | None = None
        self.wanted = False

    def request(self) -> None:
        """Ask the run to drain. Returns at once."""
        with self._lock:  # the loop cannot close meanwhile: `watch` takes the lock before it ends
            self.wanted = True
            if self._tell is not None:
                self._tell()

    async def watch(self, drain: Callable[[str], None]) -> None:
        """Wait for a request, then call `drain` with the name of its origin. Ends then, or when cancelled."""
        import asyncio  # a plan without reads runs no loop

        requested, loop = asyncio.Event(), asyncio.get_running_loop()
        with self._lock:
            self._tell = partial(loop.call_soon_threadsafe, requested.set)
            if self.wanted:
                requested.set()
        try:
            await requested.wait()
            drain("the program that began it")
        finally:
            with self._lock:
                self._tell = None
