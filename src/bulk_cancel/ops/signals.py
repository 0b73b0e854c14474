"""Signals: the first one drains, the second one dies by the signal. In a program's main thread only.

Python lets no other thread watch signals, and there they are the host program's matter: it stops a run by `Stop`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

#: How a shell tells that a signal ended a program.
_ENDED_BY = 128
_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def watch_signals(drain: Callable[[str], None], before_death: Callable[[str], None]) -> None:
    """Call `drain` with the first signal's name, `before_death` with the second's; die by that, as a shell expects.

    A signal that the starter had ignored (`nohup`, a script's `&`) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    heeded = [number for number in _WATCHED if signal.getsignal(number) is not signal.SIG_IGN]
    with _handlers_kept(), anyio.open_signal_receiver(*heeded) as received:
        seen = 0
        async for number in received:
            seen += 1
            if seen == 1:
                drain(signal.Signals(number).name)
            else:
                before_death(signal.Signals(number).name)
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
                os._exit(_ENDED_BY + number)  # only the first process of a container gets here


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Give the program back what it did at these signals: asyncio leaves Python's defaults behind."""
    before = {number: signal.getsignal(number) for number in _WATCHED}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: not set by Python, so Python cannot set it again
                signal.signal(number, handler)
