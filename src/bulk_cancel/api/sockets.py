"""A look at a socket that nobody reads at the moment."""

from __future__ import annotations

import select
from typing import Any


def is_readable(sock: Any) -> bool:
    """Whether something lies in the kernel: bytes that came unasked, or the other side's end."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
