"""`ledger verify` on a ledger that was changed past the program."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from bulk_cancel.cli.ledger import verify_command
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import row, staged, uuid


def test_one_fault_is_counted_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger.open(path)
    staged(ledger, row(2, 1), row(3, 1, attendee_id=uuid(50)))
    ledger.close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE targets SET has_sibling = 0 WHERE target_id = 2")
    connection.close()
    with pytest.raises(SystemExit) as ended:
        verify_command(str(path))
    assert ended.value.code == 78
    assert capsys.readouterr().out.splitlines()[1:] == [f"{path}: 1 fault."]
