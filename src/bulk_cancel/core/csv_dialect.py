"""How a CSV file is written: what came with semicolons, a byte order mark or CRLF goes back so."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

#: Where a snapshot of an input keeps it, among its metadata.
DIALECT: Final = "bulk_cancel_csv"


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The habits of a CSV file."""

    separator: str = ","
    mark: bool = False  #: a byte order mark before the header: a spreadsheet takes the file for UTF-8
    crlf: bool = False
    names_separator: bool = False  #: a first line `sep=;`, as Excel writes and reads it

    @property
    def line_end(self) -> str:
        """What ends a line."""
        return "\r\n" if self.crlf else "\n"

    @property
    def beginning(self) -> str:
        """What stands before the header."""
        line = f"sep={self.separator}{self.line_end}" if self.names_separator else ""
        return ("\ufeff" if self.mark else "") + line

    def as_text(self) -> str:
        """Return it as a text that `dialect_of` reads."""
        return json.dumps(asdict(self))


def dialect_of(text: str | None) -> CsvDialect:
    """Return the dialect that a text describes; the usual one for none, and for a text that describes none."""
    try:
        given = {name: value for name, value in json.loads(text or "{}").items() if type(value) is type(_USUAL[name])}
    except (ValueError, KeyError, AttributeError, RecursionError):
        return CsvDialect()
    return CsvDialect(**given)


_USUAL: Final = asdict(CsvDialect())
