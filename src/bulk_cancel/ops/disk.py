"""Durable writes, and errors of the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bulk_cancel.errors import OutOfFilesError, OutputError
from bulk_cancel.ops.descriptors import errno_of, is_out_of_files

_REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate errors of writing `path` (a file or a folder) in the block, since an OSError may not name it.

    Raises OutputError or OutOfFilesError. An error that names another file is raised as it is.
    """
    try:
        yield
    except OSError as error:
        if is_out_of_files(error):
            raise OutOfFilesError from error
        if error.filename not in (None, str(path)):
            raise
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}.",
            advice="Make room on the disk, or name another place.",
        ) from error


def refusal_in(error: BaseException) -> OSError | None:
    """Return the refused write that a library's error reports in words, as an OSError; None for other errors."""
    number = errno_of(error)
    return OSError(number, os.strerror(number)) if number in _REFUSALS else None


def is_among(path: Path, others: Iterable[Path]) -> bool:
    """Return whether a file is one of others, under whatever name. A missing file is not."""
    for other in others:
        with suppress(OSError):
            if path.samefile(other):
                return True
    return False


def sync(path: Path) -> None:
    """Make a file's content, or a folder's list of names, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
