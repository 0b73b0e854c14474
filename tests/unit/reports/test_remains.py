"""What is open after a run, read from the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.reports.remains import remains_elsewhere, remains_of_run
from support.given import move, put, row, staged


@pytest.mark.parametrize("state", [State.SENDING, State.UNKNOWN])
def test_unfinished_attempts_of_a_killed_run_count_as_its_own(tmp_path: Path, state: State) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    run_no = staged(ledger, row(2, 1), row(3, 2))
    put(ledger, run_no, state, 2)
    here = remains_of_run(ledger, run_no)
    assert here.for_reads == 1
    assert remains_elsewhere(ledger, run_no, here).is_done
    ledger.close()


def test_what_a_person_has_to_settle_here_is_not_taken_for_that_of_another_input(tmp_path: Path) -> None:
    """An input may name a target in two rows, and count it twice."""
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    earlier = staged(ledger, row(2, 1))
    move(ledger, earlier, put(ledger, earlier, State.UNKNOWN, 1), Event.UNDECIDED)
    run_no = staged(ledger, row(2, 2), row(3, 2, first_row=2), run_id="run-2")
    move(ledger, run_no, put(ledger, run_no, State.UNKNOWN, 2), Event.UNDECIDED)
    here = remains_of_run(ledger, run_no)
    assert here.undecided == 2
    elsewhere = remains_elsewhere(ledger, run_no, here)
    assert (elsewhere.undecided, elsewhere.for_reads) == (1, 0)
    ledger.close()
