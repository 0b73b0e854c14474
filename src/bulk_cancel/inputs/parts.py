"""Writes rows of text to Parquet files, a limited number of cells at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from bulk_cancel.inputs.columns import Added
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, refuse_many_columns
from bulk_cancel.ops.private_files import make_folder

MAX_ROWS = 50_000
MAX_CELLS = 1_000_000
MAX_CHARACTERS = 32 << 20


class Parts:
    """Collects rows. Each part has the columns of its rows, and the frame the union of all."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.columns: dict[str, None] = {}  #: in the order in which they first occur
        self._folder = folder
        self._rows: list[int] = []
        self._cells: list[Mapping[str, str | None]] = []
        self._names: dict[str, None] = {}
        self._characters = 0
        self._paths: list[Path] = []

    def add(self, row: int, cells: Mapping[str, str | None]) -> None:
        """Add a row. Raises InputError for too many columns."""
        self._rows.append(row)
        self._cells.append(cells)
        if not cells.keys() <= self._names.keys():
            self._names |= dict.fromkeys(cells)
            refuse_many_columns(len(self._names))
        self._characters += sum(map(len, filter(None, cells.values())))
        count = len(self._rows)
        if count >= MAX_ROWS or count * len(self._names) > MAX_CELLS or self._characters > MAX_CHARACTERS:
            self._flush()

    def frame(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        """Return all rows as one frame, with these columns or with all that occurred."""
        if self._rows or not self._paths:
            self._flush()
        schema = {Added.ROW: pl.Int64()} | dict.fromkeys(self.columns if columns is None else columns, pl.String())
        frame = pl.scan_parquet(self._paths, schema=schema, missing_columns="insert", glob=False)
        return frame.with_columns(pl.lit(None, pl.String).alias(LAYOUT_PROBLEM))

    def _flush(self) -> None:
        self.columns |= self._names
        refuse_many_columns(len(self.columns))
        cells = {name: pl.Series([one.get(name) for one in self._cells], dtype=pl.String) for name in self._names}
        path = self._folder / f"{len(self._paths):06}.parquet"
        pl.DataFrame({Added.ROW: pl.Series(self._rows, dtype=pl.Int64)} | cells).write_parquet(path, compression="lz4")
        self._paths.append(path)
        self._rows, self._cells, self._names, self._characters = [], [], {}, 0
