"""How a run is summed up from its ledger and from how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.core.exit_codes import Halt, too_many_refused
from bulk_cancel.core.states import Event, State
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd
from bulk_cancel.errors import Exit
from bulk_cancel.execution.execute import RunFacts
from bulk_cancel.execution.finish import Effort, summarised
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import move, put, row, staged, target


@pytest.mark.parametrize(
    ("sendable", "exit_code", "told"),
    [
        (0, Exit.OK, "Done: nothing is left to do."),
        (1, Exit.STOPPED, "1 cancel was not applied and may be sent again: run the input that names it."),
        (1200, Exit.STOPPED, "1,200 cancels were not applied and may be sent again: run the input that names them."),
    ],
)
def test_a_reconcile_says_how_many_may_be_sent_again(tmp_path: Path, sendable: int, exit_code: Exit, told: str) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    earlier = staged(ledger, *(row(number, number) for number in range(2, 2 + sendable)))
    for number in range(2, 2 + sendable):
        put(ledger, earlier, State.WAITING, number)
    facts = RunFacts("run-2", staged(ledger, run_id="run-2"), ledger, None, system_clock(), 0.0)
    summary = summarised(facts, RunEnd(None, Reconciled()), Effort({}, False, 1.0, None))
    assert (summary.exit_code, summary.next.partition(" Where no input names a row")[0]) == (exit_code, told)
    ledger.close()


def test_a_run_does_not_call_its_own_targets_sendable_again(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    run_no = staged(ledger, row(2, 1))
    facts = RunFacts("run-1", run_no, ledger, None, system_clock(), 0.0)
    summary = summarised(facts, RunEnd(None, Reconciled(sendable=1)), Effort({}, False, 1.0, None))
    assert "may be sent again" not in summary.next
    ledger.close()


@pytest.mark.parametrize(("is_undecided", "told"), [(False, "1 row waits for"), (True, "1 row is still to be sent")])
def test_a_row_waits_for_an_earlier_cancel_only_while_a_read_can_settle_it(
    tmp_path: Path, told: str, *, is_undecided: bool
) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    earlier = staged(ledger, row(2, 2))
    put(ledger, earlier, State.UNKNOWN, 2)
    if is_undecided:
        move(ledger, earlier, target(ledger, 2), Event.UNDECIDED)
    facts = RunFacts("run-2", staged(ledger, row(2, 1), run_id="run-2"), ledger, None, system_clock(), 0.0)
    reconciled = Reconciled(unknown=1, undecided=int(is_undecided))
    summary = summarised(facts, RunEnd(None, reconciled), Effort({}, False, 1.0, None))
    assert summary.exit_code is Exit.STOPPED
    assert summary.next.startswith(told)
    ledger.close()


@pytest.mark.parametrize(("left", "exit_code"), [(0, Exit.REFUSED_ROWS), (1, Exit.STOPPED)])
def test_too_many_refusals_are_told_only_where_they_left_rows(tmp_path: Path, left: int, exit_code: Exit) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    run_no = staged(ledger, *(row(number, number) for number in range(2, 3 + left)))
    put(ledger, run_no, State.NOT_FOUND, 2)
    facts = RunFacts("run-1", run_no, ledger, None, system_clock(), 0.0)
    end = RunEnd(Halt(Exit.STOPPED, too_many_refused(1)), Reconciled())
    summary = summarised(facts, end, Effort({}, False, 1.0, None))
    assert summary.exit_code == exit_code
    assert ("--max-errors" in summary.next) == bool(left)
    ledger.close()
