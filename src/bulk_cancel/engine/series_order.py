"""Keeps series apart from all other targets, over the runners of several accounts that work at the same time.

The answer to a series cancel does not name the other appointments that it cancelled. So no series is sent before every
runner has sent its other rows, and none while another runner sends anything: that runner may be about to send, without
a reading, an appointment that the series includes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio

from bulk_cancel.engine.intake import Intake


class Order:
    """Decides which runner may send what now. Everything happens in one event loop, so nothing needs a lock."""

    def __init__(self, runners: Iterable[str] = ()) -> None:
        self._ahead = set(runners)  #: runners that have not sent all their other rows yet
        self._others = 0  #: number of runners that send other rows now
        self._series = False  #: whether a runner sends series now
        self._changed: anyio.Event | None = None

    @asynccontextmanager
    async def turn(self, runner: str, intake: Intake, *, series: bool) -> AsyncIterator[None]:
        """Wait for the turn and keep it during the block, which runs without it only if the intake has closed.

        A runner that asks for series has sent all its other rows.
        """
        if series:
            self.leave(runner)
        taken = False
        with intake.waiting():
            while not self._is_free(series=series):
                await self._change()
            taken = True
            self._count(1, series=series)
        try:
            yield
        finally:
            if taken:
                self._count(-1, series=series)
            self._tell()

    def leave(self, runner: str) -> None:
        """Note that no runner has to wait for this one's other rows any more."""
        self._ahead.discard(runner)
        self._tell()

    def _is_free(self, *, series: bool) -> bool:
        return not (self._series or (series and (self._ahead or self._others)))

    def _count(self, one: int, *, series: bool) -> None:
        if series:
            self._series = one > 0
        else:
            self._others += one

    async def _change(self) -> None:
        self._changed = self._changed or anyio.Event()
        await self._changed.wait()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
