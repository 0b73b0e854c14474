"""What a power cut must not take back, and what the disk refuses."""

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
    """Name the file, or the folder, that is written in the block: a refused write does not say by itself to what.

    Raises OutputError when the disk refuses it, OutOfFilesError. An error about another file is left as it is.
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
    """Return the disk's refusal of a write that a library's error tells of in words alone; None when it is no such."""
    number = errno_of(error)
    return OSError(number, os.strerror(number)) if number in _REFUSALS else None


def is_among(path: Path, others: Iterable[Path]) -> bool:
    """Tell whether a file is one of these, under whatever name. What is not there is none of them."""
    for other in others:
        with suppress(OSError):
            if path.samefile(other):
                return True
    return False


def sync(path: Path) -> None:
    """Make a file's content durable, or the names in a folder. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
