"""`ledger verify` on a ledger that was changed past the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.cli.ledger import verify_command
from support.ledger_files import make_with_a_wrong_mark


def test_one_fault_is_counted_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.db"
    make_with_a_wrong_mark(path)
    with pytest.raises(SystemExit) as ended:
        verify_command(str(path))
    assert ended.value.code == 78
    assert capsys.readouterr().out.splitlines()[1:] == [f"{path}: 1 fault."]
