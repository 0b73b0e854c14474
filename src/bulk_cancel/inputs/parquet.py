"""Reads Parquet: a file, or a folder of part files as other programs write it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from bulk_cancel.core.text import clean
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import Added
from bulk_cancel.inputs.headers import refuse_unusable_headers
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table


def part_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder by name; files whose names begin with _ or . are left out."""
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith(("_", ".")))


def open_parquet(path: Path) -> Table:
    """Open a file, or all files of a folder one after the other. The header counts as row 1."""
    digest = folder_digest(path) if path.is_dir() else file_digest(path)
    frames = [pl.scan_parquet(part, glob=False) for part in (part_files(path) if path.is_dir() else [path])]
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


def folder_digest(folder: Path) -> str:
    """Return a digest of the names and the bytes of all part files."""
    listed = "".join(f"{file_digest(part)} {part.name}\n" for part in part_files(folder))
    return hashlib.sha256(listed.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
