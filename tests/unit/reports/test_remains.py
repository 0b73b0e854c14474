"""What is open after a run, read from the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.core.states import State
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.reports.remains import remains_elsewhere, remains_of_run
from support.given import put, row, staged


@pytest.mark.parametrize("state", [State.SENDING, State.UNKNOWN])
def test_unfinished_attempts_of_a_killed_run_count_as_its_own(tmp_path: Path, state: State) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    run_no = staged(ledger, row(2, 1), row(3, 2))
    put(ledger, run_no, state, 2)
    here = remains_of_run(ledger, run_no)
    assert here.for_reads == 1
    assert remains_elsewhere(ledger, run_no, here).is_done
    ledger.close()
