"""Opens a source as a table: a path, '-', or a URL of an object store."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

import polars as pl

from bulk_cancel.core.text import clean, shown
from bulk_cancel.errors import MISSING, InputError, InputMissingError
from bulk_cancel.inputs.delimited import read_delimited
from bulk_cancel.inputs.formats import Kind, Packing, format_of, is_cloud
from bulk_cancel.inputs.ndjson import read_ndjson
from bulk_cancel.inputs.objects import copy_object
from bulk_cancel.inputs.parquet import file_digest, open_parquet, part_files
from bulk_cancel.inputs.rows import InputOptions
from bulk_cancel.inputs.table import Table
from bulk_cancel.inputs.unpack import PlainText, as_utf8, read_blocks, unpack, write_blocks
from bulk_cancel.ops.disk import refusal_in
from bulk_cancel.ops.keyboard import heed_ctrl_c

_POLARS_GIVES_UP = (
    pl.exceptions.ComputeError,
    pl.exceptions.NoDataError,
    pl.exceptions.PanicException,  # a BaseException, which would end a run without a message
    MemoryError,
)


def open_source(source: str, work: Path, options: InputOptions) -> Table:
    """Open a source; unpacked and copied files are made below `work`."""
    kind, packing = format_of(source)
    if options.encoding and kind not in (Kind.CSV, Kind.TSV, Kind.NDJSON):
        raise InputError("--encoding is for CSV and NDJSON texts", advice="This format has its own: leave it out.")
    path = _local(source, work)
    if kind is Kind.PARQUET:
        return open_parquet(path)
    if kind is Kind.WORKBOOK:
        return _open_workbook(path, work, options)
    text = _plain_text(path, packing, work, options.encoding)
    if kind is Kind.NDJSON:
        return read_ndjson(text, work / "parts")
    return read_delimited(text, "\t" if kind is Kind.TSV else None, options)


def _local(source: str, work: Path) -> Path:
    """Return a source as a local file, of what comes from elsewhere a copy."""
    if is_cloud(source):
        return copy_object(source, work / "copied")
    if source == "-":
        heed_ctrl_c()
        return write_blocks(_blocks_of_stdin(), work / "stdin")
    return Path(source)


def _blocks_of_stdin() -> Iterator[bytes]:
    """Yield the bytes of standard input. Raises InputError, lest the error be taken for one of the copy's disk."""
    try:
        yield from read_blocks(sys.stdin.buffer)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}", advice="Pipe it in again, or name a file."
        ) from error


@contextmanager
def unchanged(source: str) -> Iterator[None]:
    """Raise InputError after the block when a local file was changed meanwhile."""
    if source == "-" or is_cloud(source):
        yield
        return
    before = _identity(source)
    yield
    if _identity_if_any(source) != before:
        raise InputError("the file changed while it was read", advice="Let whatever writes it finish, then try again.")


@contextmanager
def reading_errors(source: str) -> Iterator[None]:
    """Add the input's name to errors in the block, and translate those of polars, its panics included."""
    name = "standard input" if source == "-" else shown(source, 300)
    try:
        yield
    except InputError as error:
        raise type(error)(f"{name}: {error}", advice=error.advice) from error
    except (*_POLARS_GIVES_UP, OSError) as error:
        if refusal := refusal_in(error):  # the disk refused a file made of the input
            raise refusal from error
        if isinstance(error, OSError) and (error.errno is not None or "os error" in str(error)):
            raise  # an error of the system, not polars' report of a truncated file
        reason = str(error).partition("\n")[0] or "it needs more memory than there is"
        raise InputError(
            f"{name}: cannot be read: {clean(reason)}", advice="Is the file whole? Save it again."
        ) from error


def _identity_if_any(source: str) -> tuple[int, ...] | None:
    try:
        return _identity(source)
    except (InputError, InputMissingError):
        return None


def _identity(source: str) -> tuple[int, ...]:
    """Return properties of a file, or of the files of a folder, that change when it does."""
    try:
        found = Path(source).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputMissingError(f"{shown(source, 300)} does not exist.", advice=MISSING) from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}") from error
    if stat.S_ISDIR(found.st_mode) and (parts := part_files(Path(source))):
        return tuple(chain.from_iterable(_identity(str(part)) for part in parts))
    if not stat.S_ISREG(found.st_mode):
        raise InputError(
            "this is not a file, nor a folder of Parquet files", advice="Pipe CSV in with - as the source."
        )
    if not os.access(source, os.R_OK):
        raise InputError("this user may not read the file")
    return (found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)


def _plain_text(path: Path, packing: Packing, work: Path, encoding: str) -> PlainText:
    text = as_utf8(unpack(path, packing, work / "unpacked"), work / "utf8", encoding)
    return replace(text, digest=None if text.path == path else file_digest(path))


def _open_workbook(path: Path, work: Path, options: InputOptions) -> Table:
    from bulk_cancel.inputs.workbook import read_workbook

    return read_workbook(path, file_digest(path), options, work / "parts")
