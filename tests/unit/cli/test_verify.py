"""`ledger verify` on a ledger that was changed past the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.cli.ledger import verify_command
from support.ledger_files import make, make_with_a_wrong_mark, raw


def test_one_fault_is_counted_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.db"
    make_with_a_wrong_mark(path)
    with pytest.raises(SystemExit) as ended:
        verify_command(str(path))
    assert ended.value.code == 78
    assert capsys.readouterr().out.splitlines()[1:] == [f"{path}: 1 fault."]


def test_a_whole_ledger_shows_its_newest_event_and_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    verify_command(str(path))
    whole, newest = capsys.readouterr().out.splitlines()
    assert whole == f"{path}: whole: pages, history and states agree."
    with raw(path) as connection:
        ((number, digest),) = connection.execute(
            "SELECT last_event_id, digest FROM seals WHERE run_no = 0 ORDER BY last_event_id DESC LIMIT 1"
        )
    assert newest == f"Newest event: {number}, digest {digest}."
