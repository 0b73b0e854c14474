"""The process's clock: monotonic for every decision, wall time derived from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.core.clock import TimeBase

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Clock:
    """A monotonic clock and its relation to the wall clock, fixed when the process started."""

    monotonic: Callable[[], float]
    base: TimeBase

    def now(self) -> float:
        """Return seconds since the epoch; never jumps while the process lives."""
        return self.base.wall(self.monotonic())


def system_clock() -> Clock:
    """Fix the relation of the two clocks now. The event loop's own clock is the monotonic one."""
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else None
    return Clock(time.monotonic, TimeBase(boot_id, time.time() - time.monotonic()))
