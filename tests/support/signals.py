"""Signals as a shell in the foreground has them for what it starts, whatever has started the tests."""

from __future__ import annotations

import signal


def heed_signals() -> None:
    """Give this process back the signals that tests in the background, or under `nohup`, inherit as ignored.

    After a fork, or as `preexec_fn`: a program that is executed has each handler as its default.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
