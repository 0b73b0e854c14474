"""A CSV file that grows by a chunk at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

# More than CSV asks for: semicolons and tabs, too, or a header full of them makes a reader take them for separators.
_TO_QUOTE = re.compile(r'[,;\t"\r\n]|^\s|\s$|^$')


@dataclass(frozen=True, slots=True)
class CsvFile:
    """Comes into being with its first chunk."""

    path: Path
    names: Mapping[str, str]  #: column of a chunk -> its header, in the order of the file

    def append(self, chunk: pl.DataFrame) -> None:
        """Add the rows of a chunk, which may have more columns than the file."""
        with self.path.open("ab") as file:
            if not file.tell():
                file.write(_header(self.names.values()).encode())
            chunk[list(self.names)].write_csv(file, include_header=False)


def _header(names: Iterable[str]) -> str:
    return ",".join(_quoted(name) if _TO_QUOTE.search(name) else name for name in names) + "\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
