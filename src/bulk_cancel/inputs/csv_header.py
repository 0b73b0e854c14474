"""The beginning of a delimited text: its header, separator and line ends."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from bulk_cancel.core.csv_dialect import CsvDialect
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.header_row import FIRST_ROWS, about_header
from bulk_cancel.inputs.headers import has_id_column
from bulk_cancel.inputs.sheets import MAX_COLUMN

MAX_HEADER = 1 << 20

_SEPARATORS = ",;\t|"  # in order of preference when a header has as many of each
_QUOTED_OR_LINE_END = re.compile(r'"[^"]*"?|\r\n|\r|\n')
_QUOTED = re.compile(r'"[^"]*"?')
#: The line `sep=;` of Excel, which spreadsheets do not count as a row.
_NAMED_SEPARATOR = re.compile(r'"?sep=([,;\t|:^~])"?[,;\t| ]*(?:\r\n|\r|\n)', re.IGNORECASE)
_BLANK = ' \t\r\n,;|"'


@dataclass(frozen=True, slots=True)
class Layout:
    """How the records of a delimited text are laid out."""

    columns: tuple[str, ...]  #: names; empty for a column without one
    dialect: CsvDialect
    line_end: str  #: at the end of a record; "\\n" also means CRLF
    start: int  #: bytes before the header
    header_line: int  #: the physical line on which the header begins
    header_lines: int  #: physical lines before the first data row
    header_row: int  #: the header's row number: 1, or more after blank lines or a title
    notes: tuple[str, ...] = ()

    @property
    def separator(self) -> str:
        """The character between fields."""
        return self.dialect.separator


@dataclass(frozen=True, slots=True)
class _Record:
    """One of the first records."""

    row: int
    line: int
    start: int  # in the text
    text: str


def read_layout(beginning: bytes, separator: str | None, mapping: Mapping[str, str]) -> Layout:
    """Find the header: the first record, among the first 20, with a column of appointment ids, else the first record.

    Without a separator each of comma, semicolon, tab and pipe is tried; if none makes a record a header, the most
    frequent one outside quotes is taken. Raises InputError.
    """
    mark = beginning.startswith(BOM_UTF8)
    text, encoding = _decoded(beginning.removeprefix(BOM_UTF8))
    named = _NAMED_SEPARATOR.match(text)
    first_end = next((end[0] for end in _line_ends(text)), "\n")
    line_end = "\r" if first_end == "\r" else "\n"
    records = list(islice(_filled_records(text, line_end, named.end() if named else 0), FIRST_ROWS))
    if not records:
        raise InputError("the file is empty")
    first, last = records[0], records[-1]
    if len(beginning) >= MAX_HEADER and last.start + len(last.text) == len(text) and first is last:
        raise InputError(f"the header does not end within {MAX_HEADER >> 20} MiB", advice="Is a quote left open in it?")
    if "\0" in first.text:
        raise nul_refused(first.line + first.text.count("\n", 0, first.text.index("\0")))
    found, separator, columns = _header(records, named[1] if named else separator or _SEPARATORS, mapping)
    return Layout(
        columns=columns,
        dialect=CsvDialect(separator, mark, first_end == "\r\n", named is not None),
        line_end=line_end,
        start=len(text[: found.start].encode(encoding)) + (len(BOM_UTF8) if mark else 0),
        header_line=found.line,
        header_lines=found.line + found.text.count(line_end),
        header_row=found.row,
        notes=tuple(about_header(found.row, records.index(found))),
    )


def nul_refused(line: int) -> InputError:
    """Return the error for a text with a NUL."""
    return InputError(
        f"line {line} holds a NUL byte",
        advice="The file is damaged, or UTF-16 without a byte order mark. Save it as CSV UTF-8.",
    )


def _decoded(beginning: bytes) -> tuple[str, str]:
    try:
        return beginning.decode(), "utf-8"
    except UnicodeDecodeError as error:
        if len(beginning) - error.start < 4:  # the block ends inside a character
            return beginning[: error.start].decode(), "utf-8"
        # `check_records` refuses the wrong byte and names its line; here only the header counts.
        return beginning.decode("latin-1"), "latin-1"


def _line_ends(text: str, start: int = 0) -> Iterator[re.Match[str]]:
    """Find the line ends outside quotes."""
    return (match for match in _QUOTED_OR_LINE_END.finditer(text, start) if not match[0].startswith('"'))


def _filled_records(text: str, line_end: str, start: int) -> Iterator[_Record]:
    """Yield the records that are not blank. A line that names the separator counts as a line, but not as a row."""
    row, line = 1, 1 + text.count(line_end, 0, start)
    while start < len(text):
        end = next((match.start() for match in _line_ends(text, start)), len(text))
        record = text[start:end]
        if record.strip(_BLANK):
            yield _Record(row, line, start, record)
        row, line = row + 1, line + record.count(line_end) + 1
        start = end + (2 if text.startswith("\r\n", end) else 1)


def _header(
    records: Sequence[_Record], separators: str, mapping: Mapping[str, str]
) -> tuple[_Record, str, tuple[str, ...]]:
    """Return the header, the one of the separators that divides it, and its columns."""
    for record in records:
        fitting = {
            separator: fields
            for separator in separators
            if has_id_column(fields := _fields_if_any(record.text, separator), mapping)
        }
        if fitting:
            separator = max(fitting, key=lambda separator: len(fitting[separator]))
            return record, separator, _named(fitting[separator])
    separator = max(separators, key=_QUOTED.sub("", records[0].text).count)
    return records[0], separator, _named(_fields(records[0].text, separator))


def _named(fields: Sequence[str]) -> tuple[str, ...]:
    if len(fields) > MAX_COLUMN + 1:
        raise InputError(f"the header has {len(fields):,} columns, no sheet has more than {MAX_COLUMN + 1:,}")
    return tuple(field if field.strip() else "" for field in fields)


def _fields_if_any(record: str, separator: str) -> tuple[str, ...]:
    try:
        return _fields(record, separator)
    except InputError:
        return ()


def _fields(header: str, separator: str) -> tuple[str, ...]:
    try:
        (fields,) = csv.reader([header], delimiter=separator, strict=True)
    except (csv.Error, ValueError) as error:
        raise InputError(f"the header cannot be read: {error}", advice="Check its quotes.") from error
    return tuple(fields)
