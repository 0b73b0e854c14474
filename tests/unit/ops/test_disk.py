"""A refused write names its file, whoever refuses it and in whatever words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bulk_cancel.errors import Exit, OutputError
from bulk_cancel.ops.disk import refusal_in, writing
from support.small_files import files_of_at_most


def test_a_write_that_the_disk_refuses_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with files_of_at_most(10), pytest.raises(OutputError) as refused, writing(path):
        path.write_text("x" * 11, encoding="utf-8")
    assert str(refused.value) == f"{path} cannot be written: File too large."
    assert refused.value.exit_code is Exit.DISK


def test_an_error_about_another_file_is_no_refused_write(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.csv"), writing(tmp_path / "list.csv"):
        (tmp_path / "missing.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_refusal_is_found_in_the_words_of_a_library(number: int) -> None:
    refusal = refusal_in(ValueError(f"parquet: underlying IO error: {os.strerror(number)} (os error {number})"))
    assert refusal is not None
    assert refusal.errno == number


@pytest.mark.parametrize("words", ["parquet: File out of specification", f"cannot be opened (os error {errno.ENOENT})"])
def test_an_error_of_another_kind_is_not_a_refusal_of_the_disk(words: str) -> None:
    assert refusal_in(ValueError(words)) is None
