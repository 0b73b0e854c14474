"""Where a delimited text begins: its header, its separator, its line ends."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from dataclasses import dataclass

from bulk_cancel.errors import InputError

MAX_HEADER = 1 << 20

_SEPARATORS = ",;\t"  # in order of preference when a header has as many of each
_QUOTED_OR_LINE_END = re.compile(r'"[^"]*"?|\r\n|\r|\n')
_QUOTED = re.compile(r'"[^"]*"?')


@dataclass(frozen=True, slots=True)
class Layout:
    """How the records of a delimited text are laid out."""

    columns: tuple[str, ...]
    separator: str
    line_end: str  #: what ends a record; "\\n" stands for CRLF, too
    header_lines: int  #: physical lines before the first data row
    header_row: int  #: the header's row number: 1, or more after blank lines


def read_layout(beginning: bytes, separator: str | None) -> Layout:
    """Read the header. Without a separator the most frequent of comma, semicolon and tab outside quotes is taken."""
    text = _decoded(beginning.removeprefix(BOM_UTF8))
    line_end = _line_end(text)
    blanks, text = _without_blank_lines(text, line_end)
    header = text[: _end_of_record(text)]
    if not header:
        raise InputError("the file is empty")
    if len(beginning) >= MAX_HEADER and len(header) == len(text):
        raise InputError(f"the header does not end within {MAX_HEADER >> 20} MiB", advice="Is a quote left open in it?")
    separator = separator or _most_frequent_separator(header)
    return Layout(
        columns=_fields(header, separator),
        separator=separator,
        line_end=line_end,
        header_lines=blanks + header.count(line_end) + 1,
        header_row=blanks + 1,
    )


def _decoded(beginning: bytes) -> str:
    try:
        return beginning.decode()
    except UnicodeDecodeError as error:
        if len(beginning) - error.start < 4:  # the block ends inside a character
            return beginning[: error.start].decode()
        # The check of the whole file refuses the place; here only the header counts.
        return beginning.decode("latin-1")


def _line_end(text: str) -> str:
    ends = (match[0] for match in _QUOTED_OR_LINE_END.finditer(text) if not match[0].startswith('"'))
    return "\r" if next(ends, "\n") == "\r" else "\n"


def _without_blank_lines(text: str, line_end: str) -> tuple[int, str]:
    blanks = 0
    while (end := text.find(line_end)) >= 0 and not text[:end].strip():
        blanks, text = blanks + 1, text[end + 1 :]
    return blanks, text if text.strip() else ""


def _end_of_record(text: str) -> int:
    ends = (match.start() for match in _QUOTED_OR_LINE_END.finditer(text) if not match[0].startswith('"'))
    return next(ends, len(text))


def _most_frequent_separator(header: str) -> str:
    outside = _QUOTED.sub("", header)
    return max(_SEPARATORS, key=outside.count)


def _fields(header: str, separator: str) -> tuple[str, ...]:
    try:
        (fields,) = csv.reader([header], delimiter=separator, strict=True)
    except (csv.Error, ValueError) as error:
        raise InputError(f"the header cannot be read: {error}", advice="Check its quotes.") from error
    return tuple(fields)
