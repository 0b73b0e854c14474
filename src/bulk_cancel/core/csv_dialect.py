"""The dialect of a CSV file: results are written with the separator, byte order mark and line ends of the input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

#: Key under which the metadata of a snapshot holds the dialect.
DIALECT: Final = "bulk_cancel_csv"


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """Separator, byte order mark and line ends of a CSV file."""

    separator: str = ","
    mark: bool = False  #: a byte order mark before the header: a spreadsheet takes the file for UTF-8
    crlf: bool = False
    names_separator: bool = False  #: a first line `sep=;`, as Excel writes and reads it

    @property
    def line_end(self) -> str:
        """The characters that end a line."""
        return "\r\n" if self.crlf else "\n"

    @property
    def beginning(self) -> str:
        """The text before the header."""
        line = f"sep={self.separator}{self.line_end}" if self.names_separator else ""
        return ("\ufeff" if self.mark else "") + line

    def as_text(self) -> str:
        """Return it as a text that `dialect_of` reads."""
        return json.dumps(asdict(self))


def dialect_of(text: str | None) -> CsvDialect:
    """Return the dialect that a text of `as_text` describes; the default for None and for any other text."""
    try:
        given = {name: value for name, value in json.loads(text or "{}").items() if type(value) is type(_USUAL[name])}
    except (ValueError, KeyError, AttributeError, RecursionError):
        return CsvDialect()
    return CsvDialect(**given)


_USUAL: Final = asdict(CsvDialect())
