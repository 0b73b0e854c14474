"""Shows progress on stderr: redrawn lines on a terminal, a log line every 30 s elsewhere.

Imports nothing that takes time: commands that wait for nothing have a display, too.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulk_cancel.core.units import about, show_duration

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_REDRAW_S = 0.5
_LINE_S = 30.0
_WINDOW_S = 15.0
_BAR_WIDTH = 20
_UNSEEN_S = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The progress of a run."""

    done: int
    total: int
    sent: int
    counts: str  #: `57 cancelled, 1 unknown`
    eta_s: float
    note: str = ""


class Display:
    """Shows how far a run is. This one shows nothing."""

    async def follow(self, standing: Callable[[], Standing]) -> None:
        """Show the run's progress repeatedly, until cancelled."""
        import anyio

        await anyio.sleep_forever()

    def busy(self, what: str) -> AbstractContextManager[None]:
        """Show that work goes on whose end is not known, such as reading a file."""
        return nullcontext()

    def stop(self) -> None:
        """Stop drawing on the terminal."""


def make_display(log: FilteringBoundLogger, *, quiet: bool) -> Display:
    """Return a display: redrawn lines on a terminal; else a log line every 30 s, or nothing when `quiet`.

    On a terminal progress is shown even when `quiet`, since it is removed at the end.
    """
    if sys.stderr.isatty():
        return Screen()
    return Display() if quiet else Lines(log)


async def show_progress(display: Display, standing: Callable[[], Standing]) -> None:
    """Show progress until cancelled. A terminal that was closed must not stop the run."""
    with suppress(OSError):
        await display.follow(standing)


class Lines(Display):
    """One log line every 30 s."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    async def follow(self, standing: Callable[[], Standing]) -> None:
        import anyio

        while True:
            await anyio.sleep(_LINE_S)
            now = standing()
            left = about(now.eta_s)
            self._log.info("run.progress", done=now.done, of=now.total, counts=now.counts, left=left, note=now.note)


class Screen(Display):
    """A bar with the estimated time left, below it the counts, and what the workers wait for.

    Redrawn twice a second, and removed at the end.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        # Redrawn by `follow`, so it needs no thread of its own.
        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        self._sent: list[tuple[float, int]] = []

    async def follow(self, standing: Callable[[], Standing]) -> None:
        import anyio

        began, self._sent = anyio.current_time(), []  # it may have followed something else before
        self._live.start()
        try:
            while True:
                self._draw(standing(), anyio.current_time() - began)
                await anyio.sleep(_REDRAW_S)
        finally:
            self._draw(standing(), anyio.current_time() - began)
            self.stop()

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Draw how long it takes so far, in a thread of its own; nothing of what is done within a second."""
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        shown = Progress(*columns, console=self._live.console, transient=True, refresh_per_second=2)
        shown.add_task(what, total=None)
        timer = threading.Timer(_UNSEEN_S, shown.start)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            shown.stop()

    def stop(self) -> None:
        self._live.stop()

    def _draw(self, now: Standing, elapsed_s: float) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        texts = (Text(line, no_wrap=True, overflow="ellipsis") for line in (now.counts, now.note) if line)
        bar = Table.grid(padding=(0, 1))
        head = Text(" · ".join(self._head(now, elapsed_s)), no_wrap=True, overflow="ellipsis")
        bar.add_row(*([ProgressBar(now.total, now.done, width=_BAR_WIDTH)] if now.total else []), head)
        self._live.update(Group(bar, *texts), refresh=True)

    def _head(self, now: Standing, elapsed_s: float) -> Iterator[str]:
        if now.total:
            yield f"{now.done:,}/{now.total:,}"
        if rate := self._rate(now.sent):
            yield rate
        if now.eta_s >= 5:
            yield f"{about(now.eta_s)} left"
        yield f"{show_duration(elapsed_s)} so far"

    def _rate(self, sent: int) -> str:
        """Return the rate of requests over the last seconds, per second or, when low, per minute."""
        import anyio

        moment = anyio.current_time()
        self._sent = [point for point in self._sent if moment - point[0] < _WINDOW_S] + [(moment, sent)]
        elapsed_s = moment - self._sent[0][0]
        if elapsed_s < 1:
            return ""
        per_s = (sent - self._sent[0][1]) / elapsed_s
        return f"{per_s:.0f}/s" if per_s >= 10 else f"{per_s * 60:.0f}/min"
