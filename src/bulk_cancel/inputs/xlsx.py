"""The sheets of an .xlsx or .xlsm workbook (ECMA-376): their cells as text, and which rows and columns are hidden.

An error is its own text (`#N/A`), a formula without a stored value is NO_VALUE: neither counts as empty. A merged cell
counts for all rows that it covers.
"""

from __future__ import annotations

import posixpath
import re
import sys
import zipfile
from collections.abc import Iterator
from functools import lru_cache

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.cell_text import (
    NO_VALUE,
    date_text,
    duration_text,
    is_date,
    is_duration,
    number_text,
    unescaped,
)
from bulk_cancel.inputs.sheets import MAX_COLUMN, MAX_ROW, Merges, Sheet, SheetRow
from bulk_cancel.inputs.xml_pass import Handler, Texts, blocks, parse, parse_all

MAX_SHARED_BYTES = 150 << 20
MAX_STYLES = 100_000

_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_DIGITS = "0123456789$"
_TRUE = ("1", "true")
#: Number formats of columns and cells, by style: (id, code).
_Formats = dict[int, tuple[int, str]]


def xlsx_sheets(archive: zipfile.ZipFile) -> list[Sheet]:
    """Return the sheets of a workbook in its order. Their rows are read later."""
    book = _Workbook()
    place = _target(archive, "_rels/.rels", "officeDocument") or "xl/workbook.xml"
    parse_all(archive, place, book)
    parts = _Relations()
    folder, name = posixpath.split(place)
    parse_all(archive, f"{folder}/_rels/{name}.rels".lstrip("/"), parts)
    shared, styles = _Shared(), _Styles()
    for kind, target in parts.targets.values():
        reader = {"sharedStrings": shared, "styles": styles}.get(kind)
        if reader is not None and (member := _joined(folder, target)) in archive.namelist():
            parse_all(archive, member, reader)
    values = _Values(shared.texts, styles.formats(), book.since_1904)
    return [
        _XlsxSheet(name, visible, archive, _joined(folder, parts.targets[relation][1]), values)
        for name, relation, visible in book.sheets
        if relation in parts.targets and parts.targets[relation][0] == "worksheet"
    ]


def _target(archive: zipfile.ZipFile, member: str, kind: str) -> str:
    relations = _Relations()
    if member in archive.namelist():
        parse_all(archive, member, relations)
    return next((_joined("", target) for found, target in relations.targets.values() if found == kind), "")


def _joined(folder: str, target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))


class _Relations(Handler):
    def __init__(self) -> None:
        self.targets: dict[str, tuple[str, str]] = {}  # id -> last part of the kind, target

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.targets[attributes.get("Id", "")] = (kind, attributes.get("Target", ""))


class _Workbook(Handler):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []  # name, relation, visible
        self.since_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            relation = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            visible = attributes.get("state", "visible") == "visible"
            self.sheets.append((attributes.get("name", ""), relation, visible))
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904") in _TRUE


class _Styles(Handler):
    def __init__(self) -> None:
        self._codes: dict[int, str] = {}
        self._ids: list[int] = []
        self._in_cells = False

    def formats(self) -> _Formats:
        return {style: (number, self._codes.get(number, "")) for style, number in enumerate(self._ids)}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self._codes[int(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self._ids.append(int(attributes.get("numFmtId", "0")))
        if len(self._ids) + len(self._codes) > MAX_STYLES:
            raise InputError("the workbook has more styles than an office program writes")

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False


class _Shared(Handler):
    """The texts that cells share, without their phonetic readings (`rPh`)."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._size = 0
        self._text = Texts()
        self._open = False
        self._phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "t":
            self._open = not self._phonetic
        elif name == "rPh":
            self._phonetic = True

    def end(self, name: str) -> None:
        if name == "t":
            self._open = False
        elif name == "rPh":
            self._phonetic = False
        elif name == "si":
            self.texts.append(unescaped(self._text.take()))
            self._size += sys.getsizeof(self.texts[-1]) + 8
            if self._size > MAX_SHARED_BYTES:
                raise InputError(
                    f"the workbook holds more than {MAX_SHARED_BYTES >> 20} MiB of texts",
                    advice="Save the sheet as CSV UTF-8.",
                )

    def text(self, data: str) -> None:
        if self._open:
            self._text.add(data)


class _Values:
    """Turns the stored value of a cell into its text."""

    def __init__(self, shared: list[str], formats: _Formats, since_1904: bool) -> None:
        self._shared, self._formats, self._since_1904 = shared, formats, since_1904

    def text(self, kind: str, style: str, stored: str) -> str:
        if kind == "s":
            return self._shared_text(stored)
        if kind in ("str", "inlineStr"):
            return unescaped(stored)
        if kind == "b":
            return "true" if stored in _TRUE else "false"
        if kind in ("e", "d"):
            return stored
        return self._number(style, stored)

    def _shared_text(self, stored: str) -> str:
        place = int(stored)
        if not 0 <= place < len(self._shared):
            raise InputError("a cell names a text that the workbook does not have", advice="Save it again.")
        return self._shared[place]

    def _number(self, style: str, stored: str) -> str:
        format_id, code = self._formats.get(int(style or -1), (0, ""))
        if is_duration(format_id, code):
            return duration_text(stored)
        if is_date(format_id, code):
            return date_text(stored, since_1904=self._since_1904)
        return number_text(stored)


class _XlsxSheet(Sheet):
    """A sheet whose rows are read from its XML."""

    def __init__(self, name: str, visible: bool, archive: zipfile.ZipFile, member: str, values: _Values) -> None:
        super().__init__(name, visible)
        self._archive, self._member, self._values = archive, member, values

    def rows(self) -> Iterator[SheetRow]:
        cells = _Cells(self, self._values, self._merges())
        for _ in parse(self._archive, self._member, cells):
            yield from cells.take()

    def _merges(self) -> Merges:
        """Return the merged cells. They come after the rows, so a sheet that has some is read twice."""
        found = _MergedCells()
        before = b""
        for block in blocks(self._archive, self._member):
            if b"mergeCell" in before[-16:] + block:
                parse_all(self._archive, self._member, found)
                break
            before = block
        return found.merges


class _MergedCells(Handler):
    def __init__(self) -> None:
        self.merges = Merges()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "mergeCell":
            first, _, last = attributes.get("ref", "").partition(":")
            row, column = place_of(first)
            self.merges.add(row, column, *(place_of(last) if last else (row, column)))


class _Cells(Handler):
    """Collects the cells of each row."""

    def __init__(self, sheet: Sheet, values: _Values, merges: Merges) -> None:
        self._sheet, self._values, self._merges = sheet, values, merges
        self._done: list[SheetRow] = []
        self._row, self._column = 0, -1
        self._hidden = False
        self._cells: dict[int, str] = {}
        self._kind = self._style = ""
        self._text = Texts()
        self._open = self._stored = self._formula = self._phonetic = False

    def take(self) -> list[SheetRow]:
        """Return the finished rows, and forget them."""
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._start_cell(attributes)
        elif name == "v":
            self._open = self._stored = True
        elif name == "t":
            self._open = self._stored = not self._phonetic
        elif name == "f":
            self._formula = True
        elif name == "row":
            self._start_row(attributes)
        elif name == "rPh":
            self._phonetic = True
        elif name == "col" and (attributes.get("hidden") in _TRUE or float(attributes.get("width", "1")) == 0):
            first, last = int(attributes.get("min", "1")), int(attributes.get("max", "1"))
            self._sheet.hidden_columns.append(range(first - 1, last))

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._open = False
        elif name == "c":
            self._end_cell()
        elif name == "row":
            if self._merges.fill(self._row, self._cells):
                self._done.append(SheetRow(self._row, self._hidden, self._cells))
        elif name == "rPh":
            self._phonetic = False

    def text(self, data: str) -> None:
        if self._open:
            self._text.add(data)

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = int(attributes.get("r", self._row + 1))
        if number > MAX_ROW:
            raise InputError(f"the sheet claims a row {number:,}, no sheet has more than {MAX_ROW:,}")
        if number <= self._row:
            raise InputError(f"the sheet has row {number:,} after row {self._row:,}", advice="Save it again.")
        self._row, self._column, self._cells = number, -1, {}
        self._hidden = attributes.get("hidden") in _TRUE or attributes.get("ht") == "0"

    def _start_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        self._column = _column_of(reference.rstrip(_DIGITS)) if reference else self._column + 1
        if self._column > MAX_COLUMN:
            raise InputError("the sheet has more columns than a sheet can", advice="Save it again.")
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
        self._stored = self._formula = False

    def _end_cell(self) -> None:
        stored = self._text.take()
        if self._formula and (not self._stored or (not stored and self._kind != "str")):
            self._cells[self._column] = NO_VALUE
        elif stored and (text := self._values.text(self._kind, self._style, stored)):
            self._cells[self._column] = text


@lru_cache(maxsize=MAX_COLUMN + 1)
def _column_of(letters: str) -> int:
    return place_of(f"{letters}1")[1]


def place_of(reference: str) -> tuple[int, int]:
    """Return the row, counted from 1, and the column, counted from 0, that a reference like B7 names."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise InputError(f"the sheet names a cell {reference[:20]!r}, which no sheet has", advice="Save it again.")
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - 64
    return int(found[2]), column - 1
