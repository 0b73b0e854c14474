"""The limit of open files: each connection needs some, and so does each look-up of a name."""

from __future__ import annotations

import errno
import os
import re
import resource
import sys
from pathlib import Path

from bulk_cancel.core.text import counted

#: Kept free for the ledger and its journal, results, log, look-ups of names, and what a host program opens.
_RESERVED = 64
#: A new connection may try two addresses at a time.
_PER_CONNECTION = 2
_REFUSALS = (errno.EMFILE, errno.ENFILE)


def room_for_connections() -> int:
    """Return the number of connections that the limit of open files (`ulimit -n`) still allows; at least 1."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    opened = sum(1 for _ in Path("/dev/fd").iterdir())
    return max(1, (limit - opened - _RESERVED) // _PER_CONNECTION)


def errno_of(error: BaseException) -> int:
    """Return an error's errno, also from a library's message with `(os error 28)`; 0 when there is none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else 0


def is_out_of_files(error: BaseException | None) -> bool:
    """Return whether the limit of open files is why there was no connection.

    Not every error says so (a look-up without a free file reports that the name does not exist), so a file is opened.
    """
    while error is not None:
        if errno_of(error) in _REFUSALS:
            return True
        error = error.__cause__ or error.__context__
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as refusal:
        return refusal.errno in _REFUSALS
    return False


def fewer_at_a_time(fitting: int, what: str, wanted: int) -> str:
    """Say what the limit made of a concurrency; `what` is one of those that are at work at a time."""
    at_a_time = f"{counted(fitting, what)} at a time, not {wanted:,}"
    return f"This machine lets the program open few files (ulimit -n): {at_a_time}."
