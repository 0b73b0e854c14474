"""Turns an input (compressed, UTF-16, standard input) into plain UTF-8 bytes in a local file.

The bytes that are unpacked are counted: at most 64 GiB, and beyond 256 MiB at most a thousand times the packed
size. A real table compresses ten or twenty times, a bomb millions of times.
"""

from __future__ import annotations

import codecs
import gzip
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.encodings import check_encoding
from bulk_cancel.inputs.formats import Packing

#: Takes the bytes that are read.
Digest = Callable[[bytes], object]

BLOCK = 1 << 20
MAX_UNPACKED = 64 << 30
MAX_RATIO = 1000
RATIO_COUNTS_FROM = 256 << 20

_NAMES = {Packing.GZIP: "gzip", Packing.ZSTD: "zstd"}
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text as UTF-8 in a local file."""

    path: Path
    digest: str | None = None  #: of the bytes that it was made from; None: the file is the input itself
    converted: bool = False  #: it came in another encoding


def read_blocks(file: BinaryIO, digest: Digest = lambda _block: None) -> Iterator[bytes]:
    """Yield the bytes of a file, after `digest` has taken them.

    Who starts a program may leave its standard input non-blocking: then a pause of the writer reads as None, the end
    as no bytes.
    """
    while (block := cast("bytes | None", file.read(BLOCK))) != b"":
        if block is None:
            select.select([file], [], [])
        else:
            digest(block)
            yield block


def write_blocks(blocks: Iterator[bytes], path: Path) -> Path:
    """Write blocks to a new file and return its path."""
    with path.open("xb") as out:
        for block in blocks:
            out.write(block)
    return path


def unpack(source: Path, packing: Packing, into: Path) -> Path:
    """Return the path of the unpacked bytes: the source itself when it is not packed."""
    if packing is Packing.NONE:
        return source
    packed, unpacked = source.stat().st_size, 0
    broken = _broken(packing)
    try:
        with _opened(source, packing) as file, into.open("xb") as out:
            for block in read_blocks(file):
                unpacked += len(block)
                refuse_bomb(unpacked, packed)
                out.write(block)
    except broken as error:
        raise InputError(
            f"the file is not whole {_NAMES[packing]} data: {error}", advice="Fetch or pack it again."
        ) from error
    return into


def _opened(source: Path, packing: Packing) -> BinaryIO:
    if packing is Packing.GZIP:
        return gzip.open(source, "rb")  # type: ignore[return-value]
    return zstd_module().open(source, "rb")  # type: ignore[no-any-return]


def _broken(packing: Packing) -> tuple[type[Exception], ...]:
    if packing is Packing.GZIP:
        return (EOFError, zlib.error, gzip.BadGzipFile)
    return (EOFError, zstd_module().ZstdError)


def zstd_module() -> Any:
    """Return Python's own module for zstd, or its backport for older versions."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def as_utf8(source: Path, into: Path, encoding: str) -> PlainText:
    """Return the text as UTF-8: the source itself, unless it has a byte order mark or an encoding is given."""
    with source.open("rb") as file:
        mark = file.read(4)
        if mark in _UTF32_MARKS:
            raise InputError("the file is UTF-32 text", advice="Save it as UTF-8.")
        if mark.startswith(_UTF16_MARKS):
            encoding = "UTF-16"  # whatever encoding was given
        elif not encoding or mark.startswith(codecs.BOM_UTF8):
            return PlainText(source)
        file.seek(0)
        return PlainText(write_blocks(_as_utf8(file, encoding), into), converted=True)


def refuse_bomb(unpacked: int, packed: int) -> None:
    """Raise InputError for an input that unpacks to more than a real one would."""
    if unpacked > MAX_UNPACKED or (unpacked > RATIO_COUNTS_FROM and unpacked > MAX_RATIO * packed):
        raise InputError(
            f"the file unpacks to more than {unpacked >> 20:,} MiB from {max(packed >> 10, 1):,} KiB",
            advice="This is not what a table looks like. If it is one, unpack and split it first.",
        )


def _as_utf8(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    check_encoding(encoding)
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    for block in chain(read_blocks(file), [b""]):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise InputError(f"the file is not whole {encoding} text, near line {lines:,}: {error.reason}") from error
        lines += text.count("\n")
        yield text.encode(errors="replace")  # half a surrogate pair cannot be encoded
