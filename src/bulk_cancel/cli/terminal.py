"""Writes text for people: bold and colours on a terminal, tables, lines that break between words.

Imports nothing that takes time. Without a terminal, lines are not broken and have no colours.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
#: A narrower column is not wrapped.
_NARROWEST = 20
_MARK = re.compile(r"\x1b\[[0-9;]*m")


def styled(text: str, *styles: str) -> str:
    """Return text with styles: `bold`, `dim` or a colour. Styled text has to be cleaned before."""
    codes = ";".join(str(_CODES[style]) for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


class Terminal:
    """Standard output, or standard error, for text that people read."""

    def __init__(self, *, err: bool = False) -> None:
        self._err = err

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self._err else sys.stdout

    def print(self, *lines: str, whole: bool = False) -> None:
        """Print lines, broken where they are too long unless `whole`.

        Raises OSError, as any print does, when the stream is closed or full.
        """
        stream, width, plain = self._stream, self.width, self._plain
        for line in lines:
            for part in [line] if whole or width is None else wrapped(line, width):
                stream.write(f"{_MARK.sub('', part) if plain else part}\n")
        stream.flush()

    def print_question(self, question: str) -> None:
        """Print a question, broken where it is too long, without a line end."""
        text = question if self.width is None else "\n".join(wrapped(question, self.width))
        self._stream.write(f"{_MARK.sub('', text) if self._plain else text} ")
        self._stream.flush()

    @property
    def _plain(self) -> bool:
        return self.width is None or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"

    @property
    def width(self) -> int | None:
        """The columns of the terminal; None when the stream is not a terminal."""
        stream = self._stream
        if not stream.isatty():
            return None
        given = os.environ.get("COLUMNS", "")
        try:
            return int(given) if given.isdigit() and int(given) else os.get_terminal_size(stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def print_table(self, rows: Sequence[Sequence[str]], *, right: bool = False) -> None:
        """Print rows in columns; the last takes the rest of the line. `right`: the first column is aligned right."""
        if not rows:
            return
        widths = [max(map(_length, column)) for column in zip(*rows, strict=True)][:-1]
        for row in rows:
            cells = [_padded(cell, width, right=right) for cell, width in zip(row[:1], widths[:1], strict=True)]
            cells += [_padded(cell, width) for cell, width in zip(row[1:-1], widths[1:], strict=True)]
            self._print_row("".join(f"{cell}  " for cell in cells), row[-1])

    def _print_row(self, start: str, text: str) -> None:
        """Print a row of a table; a text that is too long continues below, in the same column."""
        indent, width = " " * _length(start), self.width
        left = None if width is None or width - len(indent) < _NARROWEST else width - len(indent)
        lines = [
            line
            for part in text.split("\n")
            for line in ([part] if left is None else wrapped(part, left, split_paths=True))
        ]
        self.print(start + lines[0], *(indent + line for line in lines[1:]))


def wrapped(text: str, width: int, *, split_paths: bool = False) -> Iterator[str]:
    """Break a line between words, with the same indent. A word that is longer than a line stays whole.

    `split_paths`: a path that is longer is broken after a slash.
    """
    indent = " " * (len(text) - len(text.lstrip(" ")))
    line = ""
    for word in _words(text[len(indent) :], width - len(indent) if split_paths else 0):
        if line and _length(indent + line) + 1 + _length(word) > width:
            yield (indent + line).rstrip()
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield (indent + line).rstrip()


def _words(text: str, longest: int) -> Iterator[str]:
    """Split at blanks, and a path longer than `longest`, if not 0, after a slash."""
    for word in text.split(" "):
        while _length(word) > longest > 0 and (slash := word.rfind("/", 1, longest)) > 0:
            yield word[: slash + 1]
            word = word[slash + 1 :]
        yield word


def _length(text: str) -> int:
    return len(_MARK.sub("", text))


def _padded(text: str, width: int, *, right: bool = False) -> str:
    blanks = " " * (width - _length(text))
    return blanks + text if right else text + blanks
