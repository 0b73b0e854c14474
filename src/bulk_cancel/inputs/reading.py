"""From what a person names to a table: a path, '-', or a URL of an object store."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bulk_cancel.errors import InputError, InputMissingError
from bulk_cancel.inputs.columns import BC_ROW
from bulk_cancel.inputs.delimited import read_delimited
from bulk_cancel.inputs.excel import read_excel
from bulk_cancel.inputs.formats import Format, Kind, format_of, is_cloud
from bulk_cancel.inputs.ndjson import read_ndjson
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table
from bulk_cancel.inputs.unpack import PlainText, as_utf8, copy_lines, read_blocks, unpack, write_blocks


@dataclass(frozen=True, slots=True)
class Identity:
    """What changes when a file does."""

    size: int
    modified_ns: int
    inode: int
    device: int


def open_source(source: str, work: Path, mapping: Mapping[str, str]) -> Table:
    """Open a source; what has to be unpacked or copied first goes below `work`."""
    form = format_of(source)
    if form.kind is Kind.PARQUET:
        return _open_parquet(_local_parquet(source, work))
    if form.kind is Kind.XLSX:
        return _open_excel(source, mapping)
    text = _plain_text(source, form, work)
    if form.kind is Kind.NDJSON:
        return read_ndjson(text, work / "parts")
    return read_delimited(text, "\t" if form.kind is Kind.TSV else None)


@contextmanager
def unchanged(source: str) -> Iterator[None]:
    """Refuse a local file that is not the same at the end as it was at the beginning."""
    if source == "-" or is_cloud(source):
        yield
        return
    before = _identity(source)
    yield
    if _identity_if_any(source) != before:
        raise InputError("the file changed while it was read", advice="Let whatever writes it finish, then try again.")


@contextmanager
def reading_errors(source: str) -> Iterator[None]:
    """Say which input is meant, and translate what polars says about its bytes."""
    name = "standard input" if source == "-" else source
    try:
        yield
    except InputError as error:
        raise type(error)(f"{name}: {error}", advice=error.advice) from error
    except (pl.exceptions.ComputeError, pl.exceptions.NoDataError) as error:
        raise InputError(f"{name}: cannot be read: {str(error).partition(chr(10))[0]}") from error


def _identity_if_any(source: str) -> Identity | None:
    try:
        return _identity(source)
    except (InputError, InputMissingError):
        return None


def _identity(source: str) -> Identity:
    try:
        found = Path(source).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputMissingError(f"{source} does not exist") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError("this is not a file", advice="Pipe CSV in with - as the source.")
    if not os.access(source, os.R_OK):
        raise InputError("this user may not read the file")
    return Identity(found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)


def _plain_text(source: str, form: Format, work: Path) -> PlainText:
    if source == "-":
        return _copy_of_stdin(work)
    if is_cloud(source):
        copied = copy_lines(source, work / "copied")
        return PlainText(as_utf8(copied, work / "utf8"), _digest(copied))
    path = Path(source)
    plain = as_utf8(unpack(path, form.packing, work / "unpacked"), work / "utf8")
    return PlainText(plain, None if plain == path else _digest(path))


def _copy_of_stdin(work: Path) -> PlainText:
    hasher = hashlib.sha256()
    copied = write_blocks(read_blocks(sys.stdin.buffer, hasher), work / "stdin")
    return PlainText(as_utf8(copied, work / "utf8"), hasher.hexdigest())


def _local_parquet(source: str, work: Path) -> Path:
    if not is_cloud(source):
        return Path(source)
    copied = work / "copied"
    try:
        pl.scan_parquet(source, glob=False).sink_parquet(copied)
    except FileNotFoundError as error:
        raise InputMissingError(f"{source} does not exist") from error
    return copied


def _open_parquet(path: Path) -> Table:
    frame = pl.scan_parquet(path, glob=False)
    columns = tuple(frame.collect_schema().names())
    numbered = frame.with_row_index(BC_ROW, offset=2) if BC_ROW not in columns else frame
    return Table(
        frame=numbered.with_columns(pl.col(BC_ROW).cast(pl.Int64), pl.lit(None, pl.String).alias(LAYOUT_PROBLEM)),
        columns=columns,
        digest=_digest(path),
    )


def _open_excel(source: str, mapping: Mapping[str, str]) -> Table:
    if is_cloud(source):
        raise InputError("workbooks are read from local files only", advice="Fetch it first.")
    path = Path(source)
    return read_excel(path, _digest(path), mapping)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
