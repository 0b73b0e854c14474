"""NDJSON: one JSON object per line, each with the keys it likes.

Every value becomes text: numbers keep their digits as written, lists and objects become JSON again. Lines go in
batches into Parquet files with the columns that batch has; polars puts them together under the union of columns.
"""

from __future__ import annotations

import hashlib
import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import polars as pl

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import BC_ROW
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table
from bulk_cancel.inputs.unpack import Hasher, PlainText

MAX_LINE = 16 << 20

_LINES_PER_PART = 50_000


def read_ndjson(text: PlainText, work: Path) -> Table:
    """Convert the objects to columns of text below `work`."""
    work.mkdir()
    hasher = hashlib.sha256()
    objects = _Objects()
    with text.path.open("rb") as file:
        lines = enumerate(_lines(file, hasher), 1)
        while part := list(islice(lines, _LINES_PER_PART)):
            objects.write(part, work / f"{part[0][0]:012}.parquet")
    if not objects.columns:
        raise InputError("the file holds no objects")
    return Table(objects.scan(), tuple(objects.columns), text.digest or hasher.hexdigest(), nested=objects.nested)


def _lines(file: BinaryIO, hasher: Hasher) -> Iterator[bytes]:
    line_no = 0
    while line := file.readline(MAX_LINE):
        hasher.update(line)
        line_no += 1
        if len(line) == MAX_LINE:
            raise InputError(f"line {line_no} is longer than {MAX_LINE >> 20} MiB")
        yield line.removeprefix(BOM_UTF8) if line_no == 1 else line


class _Objects:
    """The columns and the parts so far."""

    def __init__(self) -> None:
        self.columns: dict[str, None] = {}  # in the order in which they first occur
        self.nested: dict[str, int] = {}
        self._parts: list[Path] = []

    def write(self, lines: Iterable[tuple[int, bytes]], path: Path) -> None:
        """Write the objects of some lines to a Parquet file. The row of a line counts the header a table would have."""
        rows, objects = [], []
        for line_no, line in lines:
            if line.strip():
                rows.append(line_no + 1)
                objects.append(self._as_text(_parsed(line, line_no), line, line_no))
        names = dict.fromkeys(name for one in objects for name in one)
        self.columns |= names
        cells = {name: pl.Series([one.get(name) for one in objects], dtype=pl.String) for name in names}
        pl.DataFrame({BC_ROW: pl.Series(rows, dtype=pl.Int64)} | cells).write_parquet(path)
        self._parts.append(path)

    def scan(self) -> pl.LazyFrame:
        """Return all parts as one frame."""
        schema = {BC_ROW: pl.Int64()} | dict.fromkeys(self.columns, pl.String())
        frame = pl.scan_parquet(self._parts, schema=schema, missing_columns="insert", glob=False)
        return frame.with_columns(pl.lit(None, pl.String).alias(LAYOUT_PROBLEM))

    def _as_text(self, found: dict[str, object], line: bytes, line_no: int) -> dict[str, str | None]:
        return {
            name: value
            if value is None or isinstance(value, str)
            else self._other_as_text(name, value, (line, line_no))
            for name, value in found.items()
        }

    def _other_as_text(self, name: str, value: object, place: tuple[bytes, int]) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        line, line_no = place
        self.nested.setdefault(name, line_no)
        return json.dumps(json.loads(line)[name], ensure_ascii=False)  # again, with its numbers as numbers


def _parsed(line: bytes, line_no: int) -> dict[str, object]:
    try:
        found = json.loads(
            line.decode(), object_pairs_hook=_without_repeats, parse_int=str, parse_float=str, parse_constant=str
        )
        if b"\\u" in line:
            json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except UnicodeError as error:
        raise InputError(f"line {line_no} is not UTF-8 text", advice="Save the file as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"line {line_no} is not a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"line {line_no} is not a JSON object", advice="Write one object per line, without a list.")
    return found


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found
