"""Files and folders for their owner alone: every file with personal data or credentials is made here.

No link is followed, no file of another user is written to, and modes hold under any umask: 0600 and 0700.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, takewhile
from pathlib import Path
from typing import IO, TextIO

from bulk_cancel.errors import ConfigError
from bulk_cancel.ops.disk import sync

_FILE, _FOLDER = 0o600, 0o700
#: Non-blocking: a pipe in place of the file would otherwise block the program until it is read.
_SAFELY = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it that are missing; return them, the lowest first.

    Raises ConfigError when every user may write into the folder, or into the one in which it would be made; OSError.
    """
    missing = [*takewhile(lambda place: not place.is_dir(), chain((folder,), folder.parents))]
    refuse_open_folder(missing[-1].parent if missing else folder)
    for place in reversed(missing):
        if place.exists() and not place.is_dir():  # another process may have made it meanwhile
            raise NotADirectoryError(errno.ENOTDIR, f"{place} is no folder", str(folder))
        place.mkdir(mode=_FOLDER, exist_ok=True)
        place.chmod(_FOLDER)
    return missing


def refuse_open_folder(folder: Path) -> None:
    """Raise ConfigError when every user may write into a folder: anybody could replace its files.

    A sticky folder such as /tmp protects the files of others.
    """
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise ConfigError(
            f"Everybody may write into {folder}, so anybody could replace what is written there.",
            advice=f"Choose another folder, or: chmod o-w '{folder}'",
        )


def open_own(path: Path, flags: int) -> int:
    """Open a file of the user's own, or make it; its folder is made. Return the descriptor.

    Raises ConfigError for a link, a pipe, another user's file and as `make_folder` does; OSError.
    """
    make_folder(path.parent)
    try:
        descriptor = os.open(path, flags | os.O_CREAT | _SAFELY, _FILE)
    except OSError:
        _refuse_odd(path, path.lstat())
        raise
    try:
        _refuse_odd(path, os.fstat(descriptor))
        os.fchmod(descriptor, _FILE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_to_append(path: Path) -> TextIO:
    """Open a file for appending lines, as `open_own` does; each line is written at once. Its descriptor reads, too."""
    descriptor = open_own(path, os.O_RDWR | os.O_APPEND)
    return open(descriptor, "a", encoding="utf-8", newline="", buffering=1)  # noqa: PTH123 - a descriptor


def _refuse_odd(path: Path, found: os.stat_result) -> None:
    """Refuse a link, a pipe and another user's file."""
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise ConfigError(f"{path} is a link, or no file.", advice="Remove it, or name another file.")
    if found.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to another user.", advice="Remove it, or name another file.")


@contextmanager
def replaced(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Yield a file that replaces `path` when the block ends without an error. A link of that name is not followed.

    `durable`: it survives a power cut. Raises ConfigError for a device or a pipe, and as `make_folder` does; OSError.
    """
    make_folder(path.parent)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ConfigError(f"{path} is a device or a pipe, which no file may replace.", advice="Name another file.")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    aside = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            os.fchmod(descriptor, _FILE)
            yield file
            file.flush()
            if durable:
                os.fsync(descriptor)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def replace_note(path: Path, text: str) -> None:
    """Write a small text for other processes to read, whole or not at all. It need not survive a power cut."""
    with replaced(path, durable=False) as file:
        file.write(text.encode())
