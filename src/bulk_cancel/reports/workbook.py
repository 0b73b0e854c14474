"""`results.xlsx`: the rows of a run as a workbook, written chunk by chunk.

Every text stays a text: no cell becomes a formula or a link.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from bulk_cancel.errors import ConfigError, ReportError

RESULTS_XLSX: Final = "results.xlsx"
#: Most rows of a sheet below its header, and most columns.
MOST_ROWS: Final = 1_048_575
MOST_COLUMNS: Final = 16_384
TEXTS_STAY: Mapping[str, bool] = MappingProxyType({"strings_to_formulas": False, "strings_to_urls": False})
#: A fixed time of creation, so that the same rows give the same bytes.
MADE_ON: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - a workbook knows no zones

_LONGEST_CELL = 32_767
_WIDTHS = {
    "row": 8,
    "status": 18,
    "detail": 60,
    "http_status": 12,
    "attempts": 10,
    "settled_at": 22,
    "mailed_reason": 60,
}
_WIDTH_OF_AN_ID = 38
_WIDTH = 20


def require_excel() -> None:
    """Raise ConfigError when the extra that writes workbooks is not installed."""
    if importlib.util.find_spec("xlsxwriter") is None:
        raise ConfigError("Workbooks need an extra.", advice='In the checkout: pip install ".[excel]"')


def why_no_workbook(rows: int, columns: int = 0) -> str:
    """Return why so many rows or columns do not fit into a workbook, a sentence; empty when they do."""
    if rows > MOST_ROWS:
        what = f"{rows:,} rows, and a sheet holds {MOST_ROWS:,}"
    elif columns > MOST_COLUMNS:
        what = f"{columns:,} columns, and a sheet holds {MOST_COLUMNS:,}"
    else:
        return ""
    return f"{RESULTS_XLSX} was not written: there are {what}. results.csv and results.parquet have all of them."


class WorkbookFile:
    """A workbook with one sheet of rows, which are kept in a temporary file beside it until it is closed.

    `names`: column of a chunk -> its header, in the order of the file. `facts` of the run, a name and a value each, get
    a sheet of their own.
    """

    def __init__(self, path: Path, names: Mapping[str, str], facts: Sequence[tuple[str, str]] = ()) -> None:
        from xlsxwriter import Workbook  # type: ignore[import-untyped]  # it comes without types

        self.path, self.names, self.facts = path, names, facts
        self._row_count = 0
        options = {"constant_memory": True, "tmpdir": str(self.path.parent)}
        self._workbook = Workbook(self.path, {**TEXTS_STAY, **options})
        self._workbook.use_zip64()
        self._workbook.set_properties({"created": MADE_ON})
        self._sheet = self._workbook.add_worksheet("results")
        bold = self._workbook.add_format({"bold": True})
        for place, name in enumerate(self.names.values()):
            self._sheet.set_column(place, place, _width(name))
        self._sheet.freeze_panes(1, 0)
        self._write(self.names.values(), bold)

    def _write_facts(self) -> None:
        sheet = self._workbook.add_worksheet("run")
        sheet.set_column(0, 0, _WIDTH)
        sheet.set_column(1, 1, _WIDTHS["detail"])
        for place, (name, value) in enumerate(self.facts):
            sheet.write_string(place, 0, name)
            sheet.write_string(place, 1, _shortened(value))

    def append(self, chunk: pl.DataFrame) -> None:
        """Add the rows of a chunk, which may have more columns than the file."""
        for cells in chunk[list(self.names)].iter_rows():
            self._row_count += 1
            self._write(cells)

    def close(self) -> None:
        """Complete the file. Raises ReportError when the disk refuses it."""
        from xlsxwriter.exceptions import XlsxWriterException  # type: ignore[import-untyped]

        self._sheet.autofilter(0, 0, max(1, self._row_count), len(self.names) - 1)
        if self.facts:
            self._write_facts()
        try:
            self._workbook.close()
        except XlsxWriterException as error:
            self._sheet.row_data_fh.close()  # which xlsxwriter leaves open after an error
            raise ReportError(self.path.parent, error) from error

    def _write(self, cells: Sequence[Any] | Any, style: Any = None) -> None:
        for place, cell in enumerate(cells):
            if isinstance(cell, str):
                self._sheet.write_string(self._row_count, place, _shortened(cell), style)
            elif cell is not None:
                self._sheet.write_number(self._row_count, place, cell, style)


def _width(name: str) -> int:
    ours = name.removeprefix("bulk_cancel_")
    return _WIDTHS.get(ours) or (_WIDTH_OF_AN_ID if name.lower().endswith("id") else _WIDTH)


def _shortened(cell: str) -> str:
    """Shorten a cell to what a sheet holds: xlsxwriter would silently leave out a longer one."""
    return cell if len(cell) <= _LONGEST_CELL else cell[: _LONGEST_CELL - 1] + "…"
