"""Input from the terminal: Ctrl-C during a read, and input typed before the prompt."""

from __future__ import annotations

import signal
import sys
import termios


def heed_ctrl_c() -> None:
    """Let Ctrl-C interrupt a waiting read: after the import of polars, reads would be restarted instead."""
    signal.siginterrupt(signal.SIGINT, True)


def forget_typed() -> None:
    """Discard what was typed on the terminal and not read yet."""
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
