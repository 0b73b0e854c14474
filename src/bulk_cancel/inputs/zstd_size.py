"""How much a zstd file may unpack to, read from its block headers without unpacking anything (RFC 8878)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from bulk_cancel.errors import InputError

_FRAME = 0xFD2FB528
_SKIPPABLE = 0x184D2A50
_RAW, _RLE, _COMPRESSED = 0, 1, 2
_LARGEST_BLOCK = 128 << 10


def unpacked_size_limit(path: Path) -> int:
    """Return a size the unpacked bytes cannot exceed: raw and repeated blocks exactly, compressed ones 128 KiB."""
    limit = 0
    with path.open("rb") as file:
        while magic := file.read(4):
            number = int.from_bytes(magic, "little")
            if number & ~0xF == _SKIPPABLE:
                file.seek(_number(file, 4), os.SEEK_CUR)
            elif number == _FRAME:
                limit += _frame_limit(file)
            else:
                raise InputError("the file is not zstd data", advice="Fetch or pack it again.")
    return limit


def _frame_limit(file: BinaryIO) -> int:
    has_checksum = _skip_frame_header(file)
    limit, last = 0, False
    while not last:
        header = _number(file, 3)
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        limit += _LARGEST_BLOCK if kind == _COMPRESSED else size
        file.seek(1 if kind == _RLE else size, os.SEEK_CUR)
    file.seek(4 if has_checksum else 0, os.SEEK_CUR)
    if file.tell() > os.fstat(file.fileno()).st_size:
        raise _cut_short()
    return limit


def _skip_frame_header(file: BinaryIO) -> bool:
    descriptor = _number(file, 1)
    single_segment = bool(descriptor & 0x20)
    content_size_bytes = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    dictionary_id_bytes = (0, 1, 2, 4)[descriptor & 3]
    file.seek(content_size_bytes + dictionary_id_bytes + (0 if single_segment else 1), os.SEEK_CUR)
    return bool(descriptor & 4)


def _number(file: BinaryIO, size: int) -> int:
    data = file.read(size)
    if len(data) < size:
        raise _cut_short()
    return int.from_bytes(data, "little")


def _cut_short() -> InputError:
    return InputError("the zstd file ends too early", advice="Fetch or pack it again.")
