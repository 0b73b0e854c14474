"""Signals: the first one drains the run, the second one ends the process. In the main thread only.

Python lets no other thread handle signals: a host program that runs it in another thread stops a run with `Stop`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

#: Added to a signal's number: a shell's exit code of a program that a signal ended.
_ENDED_BY = 128
_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def watch_signals(drain: Callable[[str], None], before_death: Callable[[str], None]) -> None:
    """Call `drain` with the first signal's name, and `before_death` with the second's before that signal ends us.

    A signal that was ignored at the start (`nohup`, a script's `&`) stays ignored.
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
    """Restore the program's signal handlers after the block: asyncio leaves Python's defaults behind."""
    before = {number: signal.getsignal(number) for number in _WATCHED}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: not set by Python, so Python cannot set it again
                signal.signal(number, handler)
