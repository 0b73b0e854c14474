"""Shows a run's progress on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from bulk_cancel.core.units import about

if TYPE_CHECKING:
    from rich.progress import TaskID
    from structlog.typing import FilteringBoundLogger

_REDRAW_S = 0.5
_LINE_S = 30.0
_WINDOW_S = 15.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands."""

    done: int
    total: int
    sent: int
    counts: str  #: `57 cancelled, 1 unknown`
    eta_s: float
    note: str = ""


class Display(Protocol):
    """Follows a run until it is cancelled."""

    async def follow(self, standing: Callable[[], Standing]) -> None:
        """Show where the run stands, again and again."""

    def stop(self) -> None:
        """Give the terminal back, showing the last state."""


def make_display(log: FilteringBoundLogger, *, quiet: bool) -> Display:
    """Choose: nothing when quiet, a bar on a terminal, else a line every 30 s."""
    if quiet:
        return Silence()
    return Bar() if sys.stderr.isatty() else Lines(log)


async def show_progress(display: Display, standing: Callable[[], Standing]) -> None:
    """Follow until it is cancelled. A terminal that went away must not stop the work that is shown."""
    with suppress(OSError):
        await display.follow(standing)


class Silence:
    """Shows nothing."""

    async def follow(self, standing: Callable[[], Standing]) -> None:
        await anyio.sleep_forever()

    def stop(self) -> None: ...


class Lines:
    """One log line every 30 s."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    async def follow(self, standing: Callable[[], Standing]) -> None:
        while True:
            await anyio.sleep(_LINE_S)
            now = standing()
            left = about(now.eta_s)
            self._log.info("run.progress", done=now.done, of=now.total, counts=now.counts, left=left, note=now.note)

    def stop(self) -> None: ...


class Bar:
    """A bar with counts, the rate of the last seconds and the time left by the limiter's reckoning."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[counts]}"),
            console=Console(stderr=True),
            auto_refresh=False,  # redrawn below, twice a second: no thread of its own
        )
        self._sent: list[tuple[float, int]] = []

    async def follow(self, standing: Callable[[], Standing]) -> None:
        task = self._progress.add_task("", total=standing().total, rate="", left="", counts="")
        self._progress.start()
        try:
            while True:
                self._draw(task, standing())
                await anyio.sleep(_REDRAW_S)
        finally:
            self._draw(task, standing())
            self.stop()

    def stop(self) -> None:
        self._progress.stop()

    def _draw(self, task: TaskID, now: Standing) -> None:
        self._progress.update(
            task,
            completed=now.done,
            total=now.total,
            rate=self._rate(now.sent),
            left=f"{about(now.eta_s)} left" if now.eta_s >= 5 else "",
            counts=f"{now.counts}{f' · {now.note}' if now.note else ''}",
            refresh=True,
        )

    def _rate(self, sent: int) -> str:
        """Requests per second over the last seconds, in the unit that reads best."""
        moment = anyio.current_time()
        self._sent = [point for point in self._sent if moment - point[0] < _WINDOW_S] + [(moment, sent)]
        elapsed_s = moment - self._sent[0][0]
        if elapsed_s < 1:
            return ""
        per_s = (sent - self._sent[0][1]) / elapsed_s
        return f"{per_s:.0f}/s" if per_s >= 10 else f"{per_s * 60:.0f}/min"
