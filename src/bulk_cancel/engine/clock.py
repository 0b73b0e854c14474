"""The process's clock: all decisions use one that is never set; wall time is derived from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.ops.uptime import uptime

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that never jumps, and its relation to the wall clock, fixed when the process started."""

    monotonic: Callable[[], float]  #: seconds; runs on while the machine is suspended
    base: TimeBase

    def now(self) -> float:
        """Return seconds since the epoch, right after a suspension, too, and whatever the wall clock was set to."""
        return self.base.wall(self.monotonic())


def system_clock() -> Clock:
    """Return a clock with the relation of the two clocks as it is now."""
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else None
    return Clock(uptime, TimeBase(boot_id, time.time() - uptime()))
