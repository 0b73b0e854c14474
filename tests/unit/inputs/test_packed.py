"""Compressed inputs: bombs are refused before they hurt."""

from __future__ import annotations

import gzip

import pytest

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.unpack import zstd_module

zstd = zstd_module()
PACK = {"gz": gzip.compress, "zst": zstd.compress}


@pytest.mark.parametrize("name", PACK)
def test_a_bomb_is_refused_while_it_unpacks(staging, monkeypatch, name):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.RATIO_COUNTS_FROM", 4 << 20)
    bomb = PACK[name](b"id\n" + b"a" * (64 << 20))
    with pytest.raises(InputError, match="unpacks to more than"):
        staging.stage(staging.file(f"x.csv.{name}", bomb))
    assert [path.name for path in staging.folder.iterdir()] == [f"x.csv.{name}"]


@pytest.mark.parametrize("name", PACK)
def test_the_absolute_limit_holds_for_modest_ratios(staging, monkeypatch, uuid, name):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.MAX_UNPACKED", 100)
    with pytest.raises(InputError, match="unpacks to more than"):
        staging.stage(staging.file(f"x.csv.{name}", PACK[name](f"id\n{uuid(1)}\n{uuid(2)}\n{uuid(3)}\n".encode())))


@pytest.mark.parametrize("name", PACK)
def test_a_file_of_several_members_is_read_whole(staging, uuid, name):
    members = PACK[name](f"id\n{uuid(1)}\n".encode()) + PACK[name](f"{uuid(2)}\n".encode())
    assert len(staging.rows(staging.file(f"x.csv.{name}", members))) == 2


@pytest.mark.parametrize("name", PACK)
def test_line_ends_stay_as_they_are(staging, uuid, name):
    packed = PACK[name](f'id,reason\r\n{uuid(1)},"two\r\nlines"\r\n'.encode())
    assert [row.reason for row in staging.rows(staging.file(f"x.csv.{name}", packed))] == ["two\nlines"]


@pytest.mark.parametrize("name", PACK)
def test_bytes_that_do_not_fit_the_ending_name_the_expected_format(staging, name):
    with pytest.raises(InputError, match=r"not whole (gzip|zstd) data"):
        staging.stage(staging.file(f"x.csv.{name}", b"id\n"))
