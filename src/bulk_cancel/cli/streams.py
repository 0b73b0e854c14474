"""The three streams of the process, made fit for whatever is at their other end. Imports nothing that takes time."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from bulk_cancel.errors import OutputError


def prepare_streams() -> None:
    """Replace what is closed, and have stdout and stderr bear any character and a reader that goes away.

    Characters that the encoding of the terminal lacks become question marks. A stderr that is gone is silence: a run
    does not end for it. A stdout that is gone or full is an error (OutputError), since its data are lost.
    """
    _replace_closed_streams()
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        sys.stdout = _text(sys.stdout, _Stdout)
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        sys.stderr = _text(sys.stderr, _Stderr)


def _replace_closed_streams() -> None:
    """Python has no object for a stream that is closed (`>&-`), and the next file would be opened in its place.

    What goes to such a stdout is an error, as on a full disk; such a stderr is silence.
    """
    for name, flags, mode in (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


class _Stdout(io.FileIO):
    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]  # as FileIO takes it
        except BrokenPipeError:
            # Not as it comes: click and rich take it for a reason to end at once, with 1.
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
