"""XLSX, through fastexcel (the extra [excel]). Every cell is read as text."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import BC_ROW
from bulk_cancel.inputs.headers import has_id_column, refuse_unusable_headers
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table

if TYPE_CHECKING:
    import fastexcel

_MAX_UNPACKED = 2 << 30  # the reader holds a sheet in memory; a full one, a million rows, has a tenth of this


def read_excel(path: Path, digest: str, mapping: Mapping[str, str]) -> Table:
    """Read the one visible sheet that has a column with the appointment ids."""
    cells = _sheet_with_ids(path, mapping)
    header_at = _header_at(cells)
    names = _names(cells, header_at)
    rows = cells.slice(header_at + 1)
    kept = [no for no, name in enumerate(names) if name or rows.to_series(no).null_count() < rows.height]
    columns = tuple(names[no] for no in kept)
    refuse_unusable_headers(columns)
    frame = pl.DataFrame([rows.to_series(no).alias(names[no]) for no in kept])
    numbered = frame.with_row_index(BC_ROW, offset=header_at + 2).with_columns(
        pl.col(BC_ROW).cast(pl.Int64), pl.lit(None, pl.String).alias(LAYOUT_PROBLEM)
    )
    return Table(numbered.lazy(), columns, digest)


def _sheet_with_ids(path: Path, mapping: Mapping[str, str]) -> pl.DataFrame:
    reader = _open(path)
    sheets = {name: sheet for name in reader.sheet_names if (sheet := _visible_cells(reader, name)) is not None}
    if len(sheets) == 1:
        return next(iter(sheets.values()))
    fitting = [name for name, cells in sheets.items() if has_id_column(_names(cells, _header_at(cells)), mapping)]
    if len(fitting) != 1:
        which = f"sheets {', '.join(fitting)} each have" if fitting else "no sheet has"
        raise InputError(
            f"{which} a column with the appointment ids", advice="Keep one sheet with rows in the workbook."
        )
    return sheets[fitting[0]]


def _open(path: Path) -> fastexcel.ExcelReader:
    try:
        import fastexcel
    except ImportError as error:
        raise InputError("reading .xlsx needs fastexcel", advice='pip install "bulk-cancel[excel]"') from error
    _refuse_large(path)
    try:
        return fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        raise InputError(f"the workbook cannot be read: {_first_line(error)}") from error


def _refuse_large(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as workbook:
            size = sum(member.file_size for member in workbook.infolist())
    except zipfile.BadZipFile as error:
        raise InputError(
            "the file is not an .xlsx workbook", advice="Save it as .xlsx (not .xls), without a password."
        ) from error
    if size > _MAX_UNPACKED:
        raise InputError(f"the workbook unpacks to {size >> 20:,} MiB", advice="Save the sheet as CSV UTF-8.")


def _visible_cells(reader: fastexcel.ExcelReader, name: str) -> pl.DataFrame | None:
    """Return all cells of a sheet, its blank first rows included (so that rows keep their numbers); None when empty."""
    import fastexcel

    try:
        sheet = reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
    except fastexcel.FastExcelError as error:
        raise InputError(f'the sheet "{name}" cannot be read: {_first_line(error)}') from error
    if sheet.visible != "visible" or sheet.width == 0:
        return None
    return sheet.to_polars()


def _header_at(cells: pl.DataFrame) -> int:
    filled = cells.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    if filled.is_empty():
        raise InputError("the sheet is empty")
    return int(filled[0])


def _names(cells: pl.DataFrame, header_at: int) -> tuple[str, ...]:
    return tuple(name or "" for name in cells.row(header_at))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
