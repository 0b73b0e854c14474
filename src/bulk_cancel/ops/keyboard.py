"""What a person types: Ctrl-C while the program reads, and what was typed too early."""

from __future__ import annotations

import signal
import sys

if sys.platform != "win32":
    import termios


def heed_ctrl_c() -> None:
    """Let Ctrl-C end a read that waits: polars, once imported, has reads begin anew instead."""
    if sys.platform != "win32":
        signal.siginterrupt(signal.SIGINT, True)


def forget_typed() -> None:
    """Forget what was typed on the terminal and not read yet."""
    if sys.platform != "win32":
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
