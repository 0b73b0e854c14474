"""The world's own queue: what is to happen at which moment of true time, whether any process lives or not."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

#: True time 0, seconds since the epoch: Monday 2026-11-23 09:00 UTC.
EPOCH = 1_795_424_400.0


@dataclass
class WorldClock:
    """True time, and what is still to come."""

    now: float = 0.0
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def at(self, when: float, deed: Callable[[], None]) -> None:
        """Have something done at a moment, now at the earliest."""
        self._count += 1
        heapq.heappush(self._queue, (max(when, self.now), self._count, deed))

    @property
    def next(self) -> float | None:
        """When the next thing happens; None when nothing does."""
        return self._queue[0][0] if self._queue else None

    def advance(self, to: float, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until `to`, or until something has happened after which `is_enough`."""
        while self._queue and self._queue[0][0] <= to:
            self.now, _, deed = heapq.heappop(self._queue)
            deed()
            if is_enough():
                return
        self.now = max(self.now, to)
