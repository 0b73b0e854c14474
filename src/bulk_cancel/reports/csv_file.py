"""A CSV file that grows by a chunk at a time, in the habits of the file that the input came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import polars.selectors as cs

from bulk_cancel.core.csv_dialect import CsvDialect
from bulk_cancel.core.text import FORMULA

#: What polars says when it can not go on. A panic of its own is no Exception, and must not end a run without a word.
POLARS_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)

# More than CSV asks for: every usual separator, or a header full of them makes a reader take them for separators.
_TO_QUOTE = re.compile(r'[,;|\t"\r\n]|^\s|\s$|^$')


@dataclass(frozen=True, slots=True)
class CsvFile:
    """Comes into being with its first chunk."""

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
    """Return these columns, or all texts, with what core.text.harmless does to each cell."""
    return (cs.by_name(columns) if columns else cs.string()).str.replace_all(FORMULA, "${1}'${2}")
