"""A machine that is played: virtual time, a scripted API, neither threads nor signals; whole commands run on it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
import trio.testing

from bulk_cancel.access.machine import Machine
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.engine.clock import Clock
from bulk_cancel.execution.caller import Caller
from bulk_cancel.ops.logs import make_log
from bulk_cancel.ops.progress import Display
from bulk_cancel.ops.stop_request import Stop
from support.scripted import ScriptedLine

LOG = make_log(quiet=True)


class NoStop(Stop):
    """Nobody stops the run."""

    async def watch(self, drain: Callable[[str], None]) -> None:
        return


class Played:
    """A machine with a clock that jumps: each loop goes on where the last one stopped."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.line = ScriptedLine(Clock(self.monotonic, TimeBase("boot", 1_800_000_000.0)))
        self.machine = Machine(
            {"MEETERGO_TOKEN": "rgo-0123456789abcdef"},
            clock=self.line.clock,
            jitter=random.Random(7),
            state_folder=folder / "state",
            line_factory=lambda _: lambda: self.line,
            off_loop=self.at_once,
            watch_signals=self.without_signals,
            run_loop=self.run_loop,
        )

    @property
    def caller(self) -> Caller:
        """Whoever types a command on it."""
        return Caller(self.machine, LOG, Display(), stop=NoStop())

    def monotonic(self) -> float:
        try:
            return trio.current_time() - self.offset
        except RuntimeError:
            return self.now

    async def at_once(self, function: Callable[..., Any], *arguments: Any) -> Any:
        await trio.sleep(0.25)  # a slow disk
        return function(*arguments)

    async def without_signals(self, *_: Any) -> None:
        return

    def run_loop(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def main() -> Any:
            self.offset = trio.current_time() - self.now
            result = await function(*arguments)
            self.now = trio.current_time() - self.offset
            return result

        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
