"""Writes files whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bulk_cancel.errors import ReportError
from bulk_cancel.ops.disk import sync
from bulk_cancel.ops.private_files import make_folder

_ASIDE = ".writing"


@contextmanager
def written_aside(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """Yield a private folder; a file written there under one of `names` replaces the one of that name in `folder`.

    A file of `folder` whose name is not written is removed: it is from an earlier write. All files are on disk before
    the first one is renamed, so an error while they are written leaves `folder` as it was. Raises ReportError.
    """
    try:
        make_folder(folder)
        with _only_writer(folder):
            aside = folder / _ASIDE
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            aside.chmod(0o700)
            try:
                yield aside
                _put_in_place(aside, folder, names)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise ReportError(folder, error) from error


def _put_in_place(aside: Path, folder: Path, names: Collection[str]) -> None:
    written = [name for name in names if (aside / name).exists()]
    for name in written:
        (aside / name).chmod(0o600)
        sync(aside / name)
    for name in written:
        (aside / name).replace(folder / name)
    for name in set(names).difference(written):
        (folder / name).unlink(missing_ok=True)
    sync(folder)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Lock the folder, so that unfinished files found in it are from a process that has died."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Some network file systems cannot lock folders. There, two reports into one folder at the same time may fail;
        # the ledger keeps two runs apart in any case.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
