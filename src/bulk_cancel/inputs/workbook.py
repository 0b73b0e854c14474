"""Reads a workbook (.xlsx, .xlsm, .ods) as a table: its one visible sheet with appointment ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bulk_cancel.core.text import counted, one_line
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.header_row import FIRST_ROWS, HeaderRow, about_header, about_unnamed, header_row
from bulk_cancel.inputs.headers import columns_read, has_id_column
from bulk_cancel.inputs.ods import ods_sheets
from bulk_cancel.inputs.parts import Parts
from bulk_cancel.inputs.rows import InputOptions
from bulk_cancel.inputs.sheets import Sheet, SheetRow
from bulk_cancel.inputs.table import Table
from bulk_cancel.inputs.xlsx import xlsx_sheets
from bulk_cancel.inputs.xml_pass import opened_archive

_SHOWN = 5


def read_workbook(path: Path, digest: str, options: InputOptions, work: Path) -> Table:
    """Read the sheet with the appointment ids into files below `work`. Raises InputError."""
    with opened_archive(path) as archive:
        sheets = ods_sheets(archive) if "content.xml" in archive.namelist() else xlsx_sheets(archive)
        sheet, header = _sheet_with_ids(sheets, options)
        reading = _Reading(sheet, header, options, Parts(work))
        reading.take_rows()
        return Table(reading.parts.frame(header.names), header.names, digest, notes=tuple(reading.notes()))


def _sheet_with_ids(sheets: Sequence[Sheet], options: InputOptions) -> tuple[Sheet, HeaderRow]:
    headers: dict[int, HeaderRow] = {}
    for no, sheet in enumerate(sheets):
        rows = [(row.number, row.cells) for row in islice(sheet.rows(), FIRST_ROWS)] if sheet.visible else []
        if rows:
            headers[no] = header_row(rows, options.mapping)
    if not headers:
        raise InputError("the workbook is empty", advice="Are its rows on a sheet that is hidden?")
    if len(headers) == 1:
        ((no, header),) = headers.items()
        return sheets[no], header
    fitting = [no for no, header in headers.items() if has_id_column(header.columns.values(), options.mapping)]
    if len(fitting) != 1:
        names = ", ".join(one_line(sheets[no].name) for no in fitting[:_SHOWN])
        which = f"sheets {names} each have" if fitting else "no sheet has"
        raise InputError(
            f"{which} a column with the appointment ids", advice="Keep one sheet with rows in the workbook."
        )
    return sheets[fitting[0]], headers[fitting[0]]


@dataclass(slots=True)
class _Reading:
    """One pass over the rows below a header."""

    sheet: Sheet
    header: HeaderRow
    options: InputOptions
    parts: Parts
    hidden: list[int] = field(default_factory=list)  # numbers of the first hidden rows that are not empty
    hidden_count: int = 0
    unnamed: set[int] = field(default_factory=set)  # columns without a name that are not empty

    def take_rows(self) -> None:
        columns_read(self.header.names, self.options)  # raises for an unusable header, before anything else
        for row in self._filled_rows():
            if row.hidden:
                self.hidden_count += 1
                self.hidden += [row.number] if len(self.hidden) < _SHOWN else []
                if self.options.hidden_rows != "include":
                    continue
            self.parts.add(row.number, {name: row.cells.get(no) for no, name in self.header.columns.items()})
        if self.hidden_count and not self.options.hidden_rows:
            raise InputError(
                f"{_rows(self.hidden_count)} hidden in the sheet, by hand or by a filter: {self._hidden_listed()}",
                advice="Say --hidden-rows skip to leave them out, or --hidden-rows include to take them like the rest.",
            )

    def _filled_rows(self) -> Iterator[SheetRow]:
        for row in self.sheet.rows():
            if row.number <= self.header.number:
                continue
            self.unnamed |= row.cells.keys() - self.header.columns.keys()
            if any(row.cells.get(no, "").strip() for no in self.header.columns):
                yield row

    def _hidden_listed(self) -> str:
        more = " and more" if self.hidden_count > len(self.hidden) else ""
        return f"{'row' if self.hidden_count == 1 else 'rows'} {', '.join(map(str, self.hidden))}{more}"

    def notes(self) -> Iterator[str]:
        yield from about_header(self.header.number, self.header.titles)
        if self.hidden_count:
            done = "taken like the rest" if self.options.hidden_rows == "include" else "left out"
            yield f"{_rows(self.hidden_count)} hidden and {done} ({self._hidden_listed()})."
        read = columns_read(self.header.names, self.options)
        for no, name in self.header.columns.items():
            if name in read and self.sheet.hides(no):
                yield f'The column "{one_line(name)}" is hidden in the sheet, and read.'
        yield from about_unnamed(self.unnamed)


def _rows(count: int) -> str:
    return counted(count, "row is", "rows are")
