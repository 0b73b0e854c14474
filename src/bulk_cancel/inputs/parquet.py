"""Reads Parquet: a file, or a folder of part files as other programs write it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from bulk_cancel.core.text import clean, shown
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import Added
from bulk_cancel.inputs.headers import refuse_unusable_headers
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table

#: What is in the folder of a table of Delta or Hudi, whose log says which files count, or of a job that is not done.
_NO_FOLDER_OF_PARTS = ("_delta_log", ".hoodie", "_temporary")


def part_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder by name.

    Raises InputError for anything else in it that may hold rows, and for a table of Delta or Hudi, some of whose files
    are superseded. Names that begin with _ or . and checksums (.crc) hold none, as Spark and Hive write them; neither
    do empty subfolders.
    """
    if name := next((name for name in _NO_FOLDER_OF_PARTS if (folder / name).exists()), None):
        raise InputError(
            f'"{name}" in this folder says that not all of its Parquet files count',
            advice="Let whatever writes it finish, or write the rows of the table to one file and name that.",
        )
    try:
        entries = sorted(path for path in folder.iterdir() if not _is_no_data(path.name))
        others = [path.name for path in entries if not _is_part(path) and not _is_empty_folder(path)]
        if not others:
            return [path for path in entries if _is_part(path)]
    except OSError as error:
        raise InputError(f"the folder cannot be listed: {error.strerror or error}") from error
    more = f" and {len(others) - 1:,} more in this folder are" if len(others) > 1 else " in this folder is"
    raise InputError(
        f'"{shown(others[0])}"{more} no Parquet part and would be left out',
        advice="Put the Parquet files alone into a folder, without subfolders, or name one file.",
    )


def _is_part(path: Path) -> bool:
    return path.name.lower().endswith(".parquet") and path.name.isprintable() and path.is_file()  # as UTF-8 is


def _is_no_data(name: str) -> bool:
    return name.startswith(("_", ".")) or name.endswith(".crc")


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and next(path.iterdir(), None) is None


def open_parquet(path: Path) -> Table:
    """Open a file, or all files of a folder one after the other. The header counts as row 1."""
    parts = part_files(path) if path.is_dir() else [path]
    digest = _digest_of(parts) if path.is_dir() else file_digest(path)
    frames = [pl.scan_parquet(part, glob=False) for part in parts]
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
    columns = _names(frame)
    refuse_unusable_headers(columns)
    numbered = frame.with_row_index(Added.ROW, offset=2)
    return Table(
        frame=numbered.with_columns(pl.col(Added.ROW).cast(pl.Int64), pl.lit(None, pl.String).alias(LAYOUT_PROBLEM)),
        columns=columns,
        digest=digest,
    )


def _names(frame: pl.LazyFrame) -> tuple[str, ...]:
    """Return the columns. Raises InputError for a damaged file."""
    try:
        return tuple(frame.collect_schema().names())
    except pl.exceptions.PolarsError as error:
        reason = clean(str(error).partition("\n")[0])
        raise InputError(f"cannot be read: {reason}", advice="Is the file whole? Save it again.") from error


def _digest_of(parts: Sequence[Path]) -> str:
    """Return a digest of the names and the bytes of all part files."""
    listed = "".join(f"{file_digest(part)} {part.name}\n" for part in parts)
    return hashlib.sha256(listed.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
