"""The clock that decides: never set, and running on while the machine is suspended."""

from __future__ import annotations

import time


def uptime() -> float:
    """Return seconds since the boot, with those in which the machine was suspended where the system counts them.

    Linux stops CLOCK_MONOTONIC, and with it the event loop's clock, during a suspension; CLOCK_BOOTTIME runs on.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
