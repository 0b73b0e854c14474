"""One run per ledger, and one per credential: OS locks that a run holds until it ends or dies."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bulk_cancel.core.moments import show_moment
from bulk_cancel.core.text import clean
from bulk_cancel.errors import LedgerCreateError, LockedError
from bulk_cancel.ops.private_files import make_folder, open_own, replace_note

#: Least number of seconds to wait for a lock: a process that only checks it holds it for a moment.
_GLANCE_S = 0.3
#: What reading a damaged `.holder` file may raise.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lock, as far as it has noted down."""

    pid: int | None = None
    host: str = ""
    since: float | None = None  #: seconds since the epoch
    group: str = ""  #: with which it shares the lock

    def __str__(self) -> str:
        if self.pid is None or self.since is None:
            return "an unknown process"
        return f"process {self.pid} on {clean(self.host)}, since {show_moment(self.since)}"


@contextmanager
def locked(path: Path, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path`; `what` names in messages what it protects.

    Raises LockedError (exit 75), naming the holder, when another process holds it for longer than `wait_s` seconds.
    """
    lock = FileLock(path, mode=0o600)
    try:
        with _made(path):
            make_folder(path.parent)
            lock.acquire(timeout=max(wait_s, _GLANCE_S), poll_interval=0.1)
    except Timeout as error:
        raise LockedError(
            f"Another run holds {what}: {_holder(path)}.",
            advice="Wait until it has ended, or let this one wait with --lock-wait 30m. Nothing was sent.",
        ) from error
    try:
        _note_holder(path)
        yield
    finally:
        lock.release()


@contextmanager
def locked_together(path: Path, what: str, group: str, wait_s: float = 0.0) -> Iterator[None]:
    """Share the lock `path` with processes that name the same group, against all others. Raises as `locked` does."""
    with _made(path):
        descriptor = open_own(path, os.O_RDWR)
    try:
        until = time.monotonic() + max(wait_s, _GLANCE_S)
        while not _joined(descriptor, path, group):
            if time.monotonic() >= until:
                raise LockedError(
                    f"Another run holds {what}: {_holder(path)}.",
                    advice="Wait until it has ended: two runs that do not know of each other cannot keep one limit.",
                )
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _made(path: Path) -> Iterator[None]:
    try:
        yield
    except Timeout:  # an OSError, too
        raise
    except OSError as error:
        raise LedgerCreateError(
            f"The lock {path} cannot be created: {error.strerror}.",
            advice="Choose another place (--ledger, --out), or mend the folder's permissions. Nothing was sent.",
        ) from error


def _joined(descriptor: int, path: Path, group: str) -> bool:
    """Share the lock if its group is ours. The first process notes the group down while it holds the lock alone.

    Changing the kind of a lock releases it for a moment, so the group is read again afterwards.
    """
    if _flocked(descriptor, fcntl.LOCK_EX):
        _note_holder(path, group)
    if not _flocked(descriptor, fcntl.LOCK_SH):
        return False
    if _holder(path).group == group:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _flocked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _about(path: Path) -> Path:
    return path.with_name(f"{path.name}.holder")


def _note_holder(path: Path, group: str = "") -> None:
    """Write the holder beside the lock, not into it: opening a lock file empties it."""
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "group": group}
    with suppress(OSError):
        replace_note(_about(path), json.dumps(holder))


def holder_of(path: Path) -> Holder | None:
    """Return the process that holds the lock file `path` now; None when none does. Creates no file."""
    if not path.exists():
        return None
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _holder(path)
    except OSError:  # it cannot be opened by this user, hence not be held by one of its runs
        return None
    lock.release()
    return None


def _holder(path: Path) -> Holder:
    try:
        holder = json.loads(_about(path).read_text(encoding="utf-8"))
        since = float(holder["since"])
        found = Holder(int(holder["pid"]), str(holder["host"]), since, str(holder.get("group", "")))
        return found if math.isfinite(since) else Holder()
    except _UNREADABLE:
        return Holder()
