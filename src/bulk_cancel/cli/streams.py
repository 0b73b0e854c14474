"""Makes the three standard streams robust. Imports nothing that takes time."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from bulk_cancel.errors import OutputError


def prepare_streams() -> None:
    """Replace closed streams, and make stdout and stderr accept any character and the loss of their readers.

    Characters that the terminal's encoding lacks become question marks. A closed stderr is ignored: a run does not end
    because of it. A closed or full stdout raises OutputError, since its data are lost.
    """
    _replace_closed_streams()
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        sys.stdout = _text(sys.stdout, _Stdout)
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        sys.stderr = _text(sys.stderr, _Stderr)


def _replace_closed_streams() -> None:
    """Replace streams that were closed at the start (`>&-`), or the next opened file would get their descriptors.

    Writing to such a stdout is an error, as on a full disk; such a stderr is ignored.
    """
    for name, flags, mode in (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


class _Stdout(io.FileIO):
    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]  # as FileIO takes it
        except BrokenPipeError:
            # Translated, since click and rich end the program at once, with 1, for a BrokenPipeError.
            raise OutputError("stdout cannot be written: its reader is gone.") from None
        except OSError as error:
            raise OutputError(f"stdout cannot be written: {error.strerror}.") from error


class _Stderr(io.FileIO):
    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


def _text(stream: TextIO, kind: type[io.FileIO]) -> TextIO:
    stream.flush()
    raw = kind(stream.fileno(), "w", closefd=False)
    lines = raw.isatty() or kind is _Stderr
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="replace", newline=None, line_buffering=lines
    )
