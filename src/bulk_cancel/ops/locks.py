"""One run per ledger, and one per credential: OS locks that are held for the run's life and freed when it dies."""

from __future__ import annotations

import errno
import fcntl
import json
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

#: Who only looks whether a lock is held has to hold it for a moment: so long a run waits in any case.
_GLANCE_S = 0.3
#: What anybody may have written there.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, as far as it said so."""

    pid: int | None = None
    host: str = ""
    since: float | None = None  #: seconds since the epoch

    def __str__(self) -> str:
        if self.pid is None or self.since is None:
            return "a process that has not said who it is"
        return f"process {self.pid} on {clean(self.host)}, since {show_moment(self.since)}"


@contextmanager
def locked(path: Path, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path`; `what` it protects is named in messages.

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
    """Lock `path` together with all who name the same group, against everybody else. Raises as `locked` does."""
    with _made(path):
        descriptor = open_own(path, os.O_RDWR)
    try:
        until = time.monotonic() + max(wait_s, _GLANCE_S)
        while not _joined(descriptor, path, group):
            if time.monotonic() >= until:
                raise LockedError(
                    f"Another run holds {what}: {_holder(path)}.",
                    advice="Wait until it has ended: one limit cannot be kept by two who do not know of each other.",
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
            advice="Choose another place with --ledger, or mend the folder's permissions. Nothing was sent.",
        ) from error


def _joined(descriptor: int, path: Path, group: str) -> bool:
    """Share the lock if its group is ours. The first one writes the group down while it has the lock alone.

    To change a lock from one kind to the other lets go of it for a moment: what is written is read once more.
    """
    if _flocked(descriptor, fcntl.LOCK_EX):
        _note_holder(path, group)
    if not _flocked(descriptor, fcntl.LOCK_SH):
        return False
    if _group(path) == group:
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
    """Beside the lock, not in it: opening a lock file empties it."""
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "group": group}
    with suppress(OSError):
        replace_note(_about(path), json.dumps(holder))


def holder_of(path: Path) -> Holder | None:
    """Return who holds the lock file `path` at this moment; None when nobody does. Makes no file."""
    if not path.exists():
        return None
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _holder(path)
    except OSError:  # it is not ours to touch: then nobody can tell, and nobody here can hold it
        return None
    lock.release()
    return None


def _group(path: Path) -> str | None:
    try:
        return str(json.loads(_about(path).read_text(encoding="utf-8"))["group"])
    except _UNREADABLE:
        return None


def _holder(path: Path) -> Holder:
    try:
        holder = json.loads(_about(path).read_text(encoding="utf-8"))
        return Holder(int(holder["pid"]), str(holder["host"]), float(holder["since"]))
    except _UNREADABLE:
        return Holder()
