"""The sheets of an .ods document (ODF 1.2): their cells as text, and which rows and columns are hidden.

As in .xlsx, an error is its own text, a formula without a stored value is NO_VALUE, and a merged cell counts for all
rows that it covers.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Set

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.cell_text import NO_VALUE, number_text
from bulk_cancel.inputs.sheets import MAX_COLUMN, MAX_ROW, Merges, Sheet, SheetRow
from bulk_cancel.inputs.xml_pass import Handler, Texts, parse, parse_all

#: Most cells that one repeated row may stand for.
MAX_REPEATED = 1_000_000

_CONTENT = "content.xml"
_HIDDEN = ("collapse", "filter")
_NO_HEIGHT = re.compile(r"0+(\.0*)?[a-z]*")
#: Elements of notes and drawings, whose texts are not the cell's.
_ASIDE = ("annotation", "shapes", "frame", "custom-shape")
#: Attributes are looked up by these prefixes, so a document has to define them in the usual way.
_PREFIXES = {
    f"xmlns:{name}": f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"
    for name in ("office", "table", "text", "style")
}
_STORED = {
    "float": "office:value",
    "percentage": "office:value",
    "currency": "office:value",
    "date": "office:date-value",
    "time": "office:time-value",
    "boolean": "office:boolean-value",
}


def ods_sheets(archive: zipfile.ZipFile) -> list[Sheet]:
    """Return the sheets of a document in its order. Their rows are read later."""
    found = _Tables()
    parse_all(archive, _CONTENT, found)
    return [
        _OdsSheet(name, style not in found.hidden_styles, archive, no, found.flat_styles)
        for no, (name, style) in enumerate(found.tables)
    ]


class _Tables(Handler):
    """The names of the tables, and which styles hide one."""

    def __init__(self) -> None:
        self.tables: list[tuple[str, str]] = []
        self.hidden_styles: set[str] = set()
        self.flat_styles: set[str] = set()  #: of rows without height
        self._style = ""
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "document-content" and any(attributes.get(prefix) != uri for prefix, uri in _PREFIXES.items()):
            raise InputError("the document is not written as office programs do", advice="Save it as .xlsx.")
        if name == "style":
            self._style = attributes.get("style:name", "")
        elif name == "table-properties" and attributes.get("table:display") == "false":
            self.hidden_styles.add(self._style)
        elif name == "table-row-properties" and _NO_HEIGHT.fullmatch(attributes.get("style:row-height", "")):
            self.flat_styles.add(self._style)
        elif name == "table":
            self._depth += 1
            if self._depth == 1:
                self.tables.append((attributes.get("table:name", ""), attributes.get("table:style-name", "")))

    def end(self, name: str) -> None:
        if name == "table":
            self._depth -= 1


class _OdsSheet(Sheet):
    """A sheet whose rows are read from the document's content."""

    def __init__(self, name: str, visible: bool, archive: zipfile.ZipFile, number: int, flat_styles: Set[str]) -> None:
        super().__init__(name, visible)
        self._archive, self._number, self._flat_styles = archive, number, flat_styles

    def rows(self) -> Iterator[SheetRow]:
        cells = _Cells(self, self._number, self._flat_styles)
        for _ in parse(self._archive, _CONTENT, cells):
            yield from cells.take()


class _Cells(Handler):
    """Collects the cells of each row of one table."""

    def __init__(self, sheet: Sheet, number: int, flat_styles: Set[str]) -> None:
        self._sheet, self._number, self._flat_styles = sheet, number, flat_styles
        self._groups: list[bool] = []  #: the groups of rows that are open -> whether they are shut
        self._table = -1
        self._tables_open = 0
        self._aside = 0  # how many of _ASIDE are open
        self._merges = Merges()
        self._done: list[tuple[int, int, bool, dict[int, str]]] = []  # first row, rows, hidden, cells
        self._row = self._repeated_row = self._column = self._columns = 0
        self._hidden = False
        self._cells: dict[int, str] = {}
        self._cell: dict[str, str] = {}
        self._lines = 0
        self._text = Texts()
        self._open = False

    def take(self) -> Iterator[SheetRow]:
        """Yield the finished rows, and forget them."""
        done, self._done = self._done, []
        for first, count, hidden, own in done:
            for row in range(first, first + count):
                cells = dict(own)
                self._merges.fill(row, cells)
                yield SheetRow(row, hidden, cells)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            self._table += not self._tables_open
            self._tables_open += 1
        if self._table != self._number or self._tables_open != 1:
            return
        if name in _ASIDE:
            self._aside += 1
        elif not self._aside:
            self._start_part(name, attributes)

    def _start_part(self, name: str, attributes: dict[str, str]) -> None:
        if name in ("table-cell", "covered-table-cell"):
            self._cell, self._lines = attributes, 0
        elif name == "p":
            self._text.add("\n" if self._lines else "")
            self._lines += 1
            self._open = True
        elif name in ("s", "tab", "line-break") and self._open:
            self._text.add({"tab": "\t", "line-break": "\n"}.get(name, " " * min(_count(attributes, "text:c"), 1000)))
        elif name == "table-row":
            self._repeated_row = _count(attributes, "table:number-rows-repeated")
            is_flat = attributes.get("table:style-name") in self._flat_styles
            self._hidden = attributes.get("table:visibility") in _HIDDEN or is_flat or any(self._groups)
            self._column, self._cells = 0, {}
        elif name == "table-row-group":
            self._groups.append(attributes.get("table:display") == "false")
        elif name == "table-column":
            repeated = _count(attributes, "table:number-columns-repeated")
            if attributes.get("table:visibility") in _HIDDEN:
                self._sheet.hidden_columns.append(range(self._columns, self._columns + repeated))
            self._columns += repeated

    def end(self, name: str) -> None:
        if name == "table":
            self._tables_open -= 1
        if self._table != self._number or self._tables_open != 1:
            return
        if name in _ASIDE:
            self._aside -= 1
        elif self._aside:
            return
        elif name == "p":
            self._open = False
        elif name in ("table-cell", "covered-table-cell"):
            self._end_cell(covered=name != "table-cell")
        elif name == "table-row":
            self._end_row()
        elif name == "table-row-group":
            self._groups.pop()

    def text(self, data: str) -> None:
        if self._open and not self._aside:
            self._text.add(data)

    def _end_cell(self, *, covered: bool) -> None:
        text, repeated = self._value(self._text.take()), _count(self._cell, "table:number-columns-repeated")
        if text and not covered:
            if self._column + repeated > MAX_COLUMN + 1:
                raise InputError("the sheet has more columns than a sheet can", advice="Save it again.")
            last_row = self._row + _count(self._cell, "table:number-rows-spanned")
            for column in range(self._column, self._column + repeated):
                self._cells[column] = text
                if last_row > self._row + 1:
                    self._merges.add(self._row + 1, column, last_row, column)
        self._column += repeated

    def _value(self, shown: str) -> str:
        kind = self._cell.get("office:value-type", "")
        if not kind:
            return NO_VALUE if "table:formula" in self._cell else shown
        if self._cell.get("calcext:value-type") == "error":
            return shown or NO_VALUE
        if kind == "string":
            return self._cell.get("office:string-value", shown)
        stored = self._cell.get(_STORED.get(kind, ""), "")
        if kind == "time":
            return _time_text(stored)
        return number_text(stored) if _STORED.get(kind) == "office:value" else stored or shown

    def _end_row(self) -> None:
        if self._cells:
            if self._row + self._repeated_row > MAX_ROW:
                raise InputError("the sheet has more rows than a sheet can", advice="Save it again.")
            if self._repeated_row * len(self._cells) > MAX_REPEATED:
                raise InputError(f"the sheet repeats one row {self._repeated_row:,} times", advice="Save it as CSV.")
            self._done.append((self._row + 1, self._repeated_row, self._hidden, self._cells))
        self._row += self._repeated_row


def _count(attributes: dict[str, str], name: str) -> int:
    return max(1, int(attributes.get(name, "1")))


def _time_text(stored: str) -> str:
    """Return PT09H30M00S as 09:30:00."""
    parts = stored.removeprefix("PT").replace("H", ":").replace("M", ":").removesuffix("S").split(":")
    return ":".join(part.partition(".")[0].zfill(2) for part in parts)
