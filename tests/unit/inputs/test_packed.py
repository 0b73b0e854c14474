"""Compressed inputs: bombs are refused before they hurt."""

from __future__ import annotations

import gzip

import pytest

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.zstd_size import unpacked_size_limit


def zstd_frame(blocks, descriptor=0):
    """Build a frame with a one-byte window and blocks of (kind, declared size, bytes)."""
    frame = (0xFD2FB528).to_bytes(4, "little") + bytes([descriptor, 0x58])
    for no, (kind, size, data) in enumerate(blocks, 1):
        frame += (size << 3 | kind << 1 | (no == len(blocks))).to_bytes(3, "little") + data
    return frame + (bytes(4) if descriptor & 4 else b"")


RAW, RLE, COMPRESSED = 0, 1, 2


def test_the_size_of_a_zstd_file_is_told_from_its_headers(staging):
    frame = zstd_frame([(RAW, 5, b"hello"), (RLE, 1000, b"x"), (COMPRESSED, 3, b"???")], descriptor=4)
    skippable = (0x184D2A53).to_bytes(4, "little") + (7).to_bytes(4, "little") + b"skipped"
    path = staging.file("x.zst", frame + skippable + frame)
    assert unpacked_size_limit(path) == 2 * (5 + 1000 + (128 << 10))


@pytest.mark.parametrize("content", [b"id\n", zstd_frame([(RAW, 5, b"hello")])[:7], (0xFD2FB528).to_bytes(4, "little")])
def test_other_bytes_are_no_zstd_file(staging, content):
    with pytest.raises(InputError, match="zstd"):
        unpacked_size_limit(staging.file("x.zst", content))


def test_a_zstd_bomb_is_refused_without_unpacking_it(staging):
    bomb = zstd_frame([(RLE, (1 << 17), b"a")] * 10_000)
    with pytest.raises(InputError, match="unpacks to more than 1,250 MiB from 39 KiB"):
        staging.stage(staging.file("x.csv.zst", bomb))


def test_a_gzip_bomb_is_refused_while_it_unpacks(staging, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.RATIO_COUNTS_FROM", 4 << 20)
    bomb = gzip.compress(b"id\n" + b"a" * (64 << 20))
    with pytest.raises(InputError, match="unpacks to more than"):
        staging.stage(staging.file("x.csv.gz", bomb))
    assert [path.name for path in staging.folder.iterdir()] == ["x.csv.gz"]


def test_the_absolute_limit_holds_for_modest_ratios(staging, monkeypatch, uuid):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.MAX_UNPACKED", 100)
    with pytest.raises(InputError, match="unpacks to more than"):
        staging.stage(staging.file("x.csv.gz", gzip.compress(f"id\n{uuid(1)}\n{uuid(2)}\n{uuid(3)}\n".encode())))


def test_a_gzip_file_of_several_members_is_read_whole(staging, uuid):
    members = gzip.compress(f"id\n{uuid(1)}\n".encode()) + gzip.compress(f"{uuid(2)}\n".encode())
    assert len(staging.rows(staging.file("x.csv.gz", members))) == 2
