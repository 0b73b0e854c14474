"""A backup is a whole copy of a ledger, or none."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from bulk_cancel.errors import LedgerCreateError, LedgerDiskError, LedgerError
from bulk_cancel.ledger.sqlite import create
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import begin
from support.ledger_files import make


def test_a_backup_is_whole_also_while_a_run_writes(path: Path) -> None:
    make(path)
    ledger = SqliteLedger.open(path)
    run_no = begin(ledger, "run-2")
    copy = path.with_name("copy.db")
    ledger.backup(copy)
    begin(ledger, "run-3")
    copied = SqliteLedger.open(copy)
    assert (copied.runs()[0].run_no, copied.verify()) == (run_no, [])
    copied.close()
    ledger.close()


def test_a_backup_that_the_disk_refuses_at_its_end_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says nothing when the disk refuses the checkpoint of closing."""

    def refused(_: object) -> None:
        raise apsw.FullError("database or disk is full")

    make(path)
    monkeypatch.setattr(create, "_complete", refused)
    with closing(SqliteLedger.open_to_read(path)) as ledger, pytest.raises(LedgerDiskError, match=r"copy\.db"):
        ledger.backup(path.with_name("copy.db"))
    assert list(path.parent.glob("copy.db*")) == []


def test_a_backup_overwrites_nothing(path: Path) -> None:
    make(path)
    ledger = SqliteLedger.open_to_read(path)
    with pytest.raises(LedgerError, match=r"ledger\.db exists already"):
        ledger.backup(path)
    ledger.close()


def test_a_backup_into_a_folder_that_is_not_there_is_an_error_of_ours(path: Path) -> None:
    make(path)
    ledger = SqliteLedger.open_to_read(path)
    with pytest.raises(LedgerCreateError, match="no/copy"):
        ledger.backup(path.parent / "no" / "copy.db")
    ledger.close()
