"""Reads NDJSON, one JSON object per line, whose keys may differ; and a JSON list of such objects.

Every value becomes text: numbers keep their digits, lists and objects become JSON again. The row number of an
object is its line, or its number in the list.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

from bulk_cancel.core.text import shown
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.encodings import likely_encoding
from bulk_cancel.inputs.parts import Parts
from bulk_cancel.inputs.table import Table
from bulk_cancel.inputs.unpack import BLOCK, Digest, PlainText, read_blocks

MAX_LINE = 16 << 20

_BETWEEN = " \t\r\n"


def read_ndjson(text: PlainText, work: Path) -> Table:
    """Convert the objects to columns of text below `work`."""
    hasher = hashlib.sha256()
    parts = Parts(work)
    nested: dict[str, str] = {}
    with text.path.open("rb") as file:
        is_list = file.read(BLOCK).removeprefix(BOM_UTF8).lstrip().startswith(b"[")
        file.seek(0)
        for row, found in _objects_of_list(file, hasher.update) if is_list else _objects_of_lines(file, hasher.update):
            parts.add(row, found.cells(nested))
    frame = parts.frame()
    if not parts.columns:
        raise InputError("the file holds no objects")
    return Table(frame, tuple(parts.columns), text.digest or hasher.hexdigest(), nested=nested)


class _Object:
    """An object with its text and its place in the file."""

    __slots__ = ("place", "text", "values")

    def __init__(self, text: str, place: str) -> None:
        self.text, self.place = text, place
        try:
            found = json.loads(
                text, object_pairs_hook=_without_repeats, parse_int=str, parse_float=str, parse_constant=str
            )
            if "\\u" in text:
                json.dumps(found, ensure_ascii=False).encode()  # raises for half a surrogate pair
        except UnicodeError as error:
            raise InputError(f"{place} is not UTF-8 text", advice="Save the file as UTF-8.") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place} is not a JSON object: {shown(str(error))}") from error
        if not isinstance(found, dict):
            raise InputError(f"{place} is not a JSON object", advice="Write one object per line, or a list of objects.")
        self.values: dict[str, object] = found

    def cells(self, nested: dict[str, str]) -> dict[str, str | None]:
        """Return the values as text; note in `nested` which columns have lists or objects, and where first."""
        return {
            name: value if value is None or isinstance(value, str) else self._other_as_text(name, value, nested)
            for name, value in self.values.items()
        }

    def _other_as_text(self, name: str, value: object, nested: dict[str, str]) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        nested.setdefault(name, self.place)
        try:
            return json.dumps(json.loads(self.text)[name], ensure_ascii=False)  # parsed again: with numbers as numbers
        except (ValueError, RecursionError) as error:
            raise InputError(f'{self.place}: "{shown(name)}" cannot be read: {shown(str(error))}') from error


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _objects_of_lines(file: BinaryIO, digest: Digest) -> Iterator[tuple[int, _Object]]:
    line_no = 0
    while line := file.readline(MAX_LINE):
        digest(line)
        line_no += 1
        if len(line) == MAX_LINE:
            raise InputError(f"line {line_no} is longer than {MAX_LINE >> 20} MiB")
        if line_no == 1:
            line = line.removeprefix(BOM_UTF8)
        if line.strip():
            yield line_no, _Object(_decoded(line, line_no), f"line {line_no}")


def _decoded(line: bytes, line_no: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        name = likely_encoding(line)
        advice = f"Save the file as UTF-8. It looks like {name}: then add --encoding {name}."
        raise InputError(f"line {line_no} is not UTF-8 text", advice=advice) from error


def _objects_of_list(file: BinaryIO, digest: Digest) -> Iterator[tuple[int, _Object]]:
    decoder = json.JSONDecoder()
    window = _Window(file, digest)
    window.expect("[")
    for number in count(1):
        if number == 1 and window.next_character() == "]":
            window.expect("]")
            break
        yield number, _Object(window.take_value(decoder, number), f"item {number} of the list")
        if window.expect(",]") == "]":
            break
    if window.next_character():
        raise InputError("something follows the end of the list", advice="Is it whole, and one list?")


class _Window:
    """The part of a text that is in memory: one value at a time, of limited length."""

    def __init__(self, file: BinaryIO, digest: Digest) -> None:
        self._blocks = read_blocks(file, digest)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at = "", 0

    def next_character(self) -> str:
        """Return the next character that is not a blank, without taking it; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BETWEEN:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def expect(self, characters: str) -> str:
        """Take the next character, which has to be one of these. Raises InputError."""
        found = self.next_character()
        if not found or found not in characters:
            raise InputError("the list is not whole JSON", advice="Is the file cut short?")
        self._at += 1
        return found

    def take_value(self, decoder: json.JSONDecoder, number: int) -> str:
        """Take one value; return its text."""
        self.next_character()
        while True:
            try:
                _, end = decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > MAX_LINE or not self._more():
                    message = f"item {number} of the list is not a JSON object: {shown(str(error))}"
                    raise InputError(message) from error
                continue
            if end == len(self._text) and self._more():
                continue  # a number may continue
            text, self._at = self._text[self._at : end], end
            return text

    def _more(self) -> bool:
        block = next(self._blocks, b"")
        try:
            text = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise InputError("the list is not UTF-8 text", advice="Save the file as UTF-8.") from error
        self._text, self._at = self._text[self._at :] + text, 0
        return bool(block)
