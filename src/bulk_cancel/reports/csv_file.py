"""A CSV file that is written chunk by chunk, in the dialect of the input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import polars.selectors as cs

from bulk_cancel.core.csv_dialect import CsvDialect
from bulk_cancel.core.text import FORMULA

#: The errors of polars. Its PanicException is not an Exception, and must not end a run without a message.
POLARS_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)

# More than CSV requires: every usual separator, since readers guess the separator by counting them in the header.
_TO_QUOTE = re.compile(r'[,;|\t"\r\n]|^\s|\s$|^$')


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file, created with its first chunk."""

    path: Path
    names: Mapping[str, str]  #: column of a chunk -> its header, in the order of the file
    dialect: CsvDialect = field(default_factory=CsvDialect)

    def append(self, chunk: pl.DataFrame) -> None:
        """Add the rows of a chunk, which may have more columns than the file."""
        with self.path.open("ab") as file:
            if not file.tell():
                file.write((self.dialect.beginning + self._header(self.names.values())).encode())
            chunk[list(self.names)].write_csv(
                file,
                include_header=False,
                separator=self.dialect.separator,
                line_terminator=self.dialect.line_end,
            )

    def _header(self, names: Iterable[str]) -> str:
        quoted = (_quoted(name) if _TO_QUOTE.search(name) else name for name in names)
        return self.dialect.separator.join(quoted) + self.dialect.line_end


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def harmless_texts(*columns: str) -> pl.Expr:
    """Return an expression that does to these columns, or to all texts, what `core.text.harmless` does to a cell."""
    return (cs.by_name(columns) if columns else cs.string()).str.replace_all(FORMULA, "${1}'${2}")
