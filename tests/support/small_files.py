"""A disk that refuses what is too large, and a process that may have few files open: for this process, in a block."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Have the system refuse to let a file grow larger than `size` bytes, as a full disk does."""
    with _limited(resource.RLIMIT_FSIZE, size):
        yield


@contextmanager
def room_for_files(count: int) -> Iterator[None]:
    """Let this process open `count` files more than it has open, and no others."""
    highest = max(int(one.name) for one in Path("/dev/fd").iterdir())
    fillers = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while fillers[-1] < highest:
            fillers.append(os.open(os.devnull, os.O_RDONLY))
        with _limited(resource.RLIMIT_NOFILE, fillers[-1] + 1 + count):
            yield
    finally:
        for filler in fillers:
            os.close(filler)


@contextmanager
def _limited(kind: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)
