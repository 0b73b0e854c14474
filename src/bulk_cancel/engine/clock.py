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
    awake_or_not: Callable[[], float] | None = None  #: counts on while the machine is suspended, where there is one

    def elapsed(self) -> float:
        """Return seconds that pass for everybody else, too: of a suspended machine as well, where that can be told."""
        return (self.awake_or_not or self.monotonic)()

    def now(self) -> float:
        """Return seconds since the epoch; never jumps while the process lives."""
        return self.base.wall(self.monotonic())


def system_clock() -> Clock:
    """Fix the relation of the two clocks now. The event loop's own clock is the monotonic one."""
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else None
    return Clock(time.monotonic, TimeBase(boot_id, time.time() - time.monotonic()), suspended_or_not)


def suspended_or_not() -> float:
    """Return seconds since the boot, where the system counts them with those in which the machine was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
