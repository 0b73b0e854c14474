"""`demo --in DIR` removes its own ledger, and nothing that anybody else put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.cli.sandbox import lay_out
from bulk_cancel.errors import UsageError


def texts(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.mark.parametrize("name", ["thesis.txt", "ledger.db", "jobs/office_closure.toml", "sample_inputs/mine.csv"])
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="not empty and not a demo's"):
        lay_out(tmp_path)
    assert texts(tmp_path) == {name: "mine"}


def test_other_files_in_the_demos_folder_stay(tmp_path: Path) -> None:
    job = lay_out(tmp_path / ".demo")
    laid_out = texts(tmp_path)
    assert job.read_text()
    mine = dict.fromkeys((".demo/jobs/mine.toml", ".demo/notes/a.txt", ".demo/first/rebooking.csv"), "mine")
    for name, text in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".demo/ledger.db").write_text("of an earlier demo")
    (tmp_path / ".demo/ledger.db-wal").write_text("of an earlier demo")
    lay_out(tmp_path / ".demo")
    assert texts(tmp_path) == laid_out | mine
