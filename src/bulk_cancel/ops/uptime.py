"""A clock that is never set and runs on while the machine is suspended."""

from __future__ import annotations

import time


def uptime() -> float:
    """Return the seconds since the boot, including suspensions where the system counts them.

    Linux stops CLOCK_MONOTONIC, and with it the event loop's clock, during a suspension; CLOCK_BOOTTIME runs on.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
