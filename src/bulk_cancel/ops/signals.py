"""Signals: the first one drains, the second one dies by the signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import anyio

_WATCHED = [signal.SIGINT, signal.SIGTERM]
if hasattr(signal, "SIGHUP"):
    _WATCHED.append(signal.SIGHUP)


async def watch_signals(drain: Callable[[str], None], before_death: Callable[[], None]) -> None:
    """Call `drain` with the first signal's name; die by the second one, as a shell expects it."""
    with anyio.open_signal_receiver(*_WATCHED) as received:
        seen = 0
        async for number in received:
            seen += 1
            if seen == 1:
                drain(signal.Signals(number).name)
            else:
                before_death()
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
