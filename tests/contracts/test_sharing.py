"""A run may share the rows of the last run that staged any: it sends what staging them once more would send."""

from __future__ import annotations

import pytest

from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import GuardError, Ledger, RunStart
from contracts.conftest import Open
from support.given import AT, BASE, begin, invalid, put, row, staged, target, uuid

STATES = tuple(State)
ROWS = [row(number, number) for number in range(2, 2 + len(STATES))]
OTHERS = [row(40, 2, first_row=2), invalid(41)]
AGAIN = RunStart("run-2", AT + 9, BASE, "in.csv", "input", "out-2", "", "options")


def original(ledger: Ledger) -> int:
    """Stage a target per state, a row that repeats one and an invalid one; bring each target into its state."""
    run_no = ledger.begin_run(RunStart("run-1", AT, BASE, "in.csv", "input", "out-1", "", "options"))
    ledger.stage(run_no, [*ROWS, *OTHERS], AT)
    ledger.start_run(run_no)
    for number, state in enumerate(STATES, 2):
        put(ledger, run_no, state, number)
    return run_no


def seen(ledger: Ledger, run_no: int) -> object:
    """Everything a run can see of itself."""
    return (
        ledger.counts(run_no),
        ledger.target_count(run_no),
        ledger.target_states(run_no),
        ledger.sendable_count(run_no),
        ledger.work(run_no, 0, series=False, limit=100),
        ledger.rows(run_no, 0, 100),
    )


def test_sharing_does_what_staging_once_more_does(open_ledger: Open) -> None:
    ledger = open_ledger()
    shared = ledger.share_run(AGAIN, original(ledger))
    as_shared = seen(ledger, shared)
    staged_again = staged(ledger, *ROWS, *OTHERS, run_id="run-3")
    assert seen(ledger, staged_again) == as_shared
    assert ledger.verify() == []


def test_its_rows_name_targets_as_well(ledger: Ledger) -> None:
    run_no = ledger.share_run(AGAIN, original(ledger))
    named = ledger.namings(target(ledger, 2).target.appointment_id, 10)
    assert [(naming.run_no, naming.row) for naming in named] == [(1, 2), (1, 40), (run_no, 2), (run_no, 40)]


def test_it_is_ready_to_send_at_once_and_says_what_it_restaged(ledger: Ledger) -> None:
    run_no = ledger.share_run(AGAIN, original(ledger))
    record = ledger.runs()[0]
    assert (record.run_no, record.status, record.out, record.input_digest) == (run_no, "running", "out-2", "input")
    for state in (State.FAILED, State.SKIPPED):
        work = target(ledger, STATES.index(state) + 2)
        assert work.state is State.PENDING
        last = ledger.history(work.target_id)[-1]
        assert (last.event, last.at, last.run_id) == (Event.RESTAGED, AT + 9, "run-2")


def test_a_shared_run_can_be_shared_on(ledger: Ledger) -> None:
    first = original(ledger)
    ledger.share_run(AGAIN, first)
    known = ledger.last_staged()
    assert known is not None
    assert (known.run_no, known.input_digest, known.options_digest) == (first, "input", "options")
    assert known.outs == ("out-2", "out-1")


def test_what_would_be_sent_is_told_beforehand(ledger: Ledger) -> None:
    first = original(ledger)
    foreseen = [(number, work.target) for number, work in ledger.first_to_send(first, 100)]
    run_no = ledger.share_run(AGAIN, first)
    assert foreseen == [(number, work.target) for number, work in ledger.work(run_no, 0, series=False, limit=100)]
    assert ledger.first_to_send(first, 1) == ledger.first_to_send(first, 100)[:1]


def test_series_are_among_what_would_be_sent(ledger: Ledger) -> None:
    first = staged(ledger, row(2, 1), row(3, 2, entire_series=True), row(4, 3))
    assert [number for number, _ in ledger.first_to_send(first, 9)] == [2, 3, 4]


def test_a_ledger_without_rows_has_none_to_share(ledger: Ledger) -> None:
    assert ledger.last_staged() is None
    staged(ledger)
    assert ledger.last_staged() is None


def test_a_reconcile_in_between_changes_nothing(ledger: Ledger) -> None:
    first = original(ledger)
    staged(ledger, run_id="reconcile")
    begin(ledger, "resolve")
    known = ledger.last_staged()
    assert known is not None
    assert known.run_no == first


@pytest.mark.parametrize("finished", [True, False], ids=["another input", "an input whose staging was killed"])
def test_nothing_is_shared_after_another_input(ledger: Ledger, finished: bool) -> None:
    """It may have put its own requests into the targets: what they carry is not what this input asks for."""
    first = original(ledger)
    second = begin(ledger, "run-2")
    ledger.stage(second, [row(2, 2, reason="another")], AT)
    if finished:
        ledger.start_run(second)
    known = ledger.last_staged()
    assert (known.run_no if known else None) == (second if finished else None)
    before = (ledger.runs(), list(ledger.all_events()))
    with pytest.raises(GuardError):
        ledger.share_run(AGAIN, first)
    assert (ledger.runs(), list(ledger.all_events())) == before


def test_a_target_belongs_to_the_run_that_named_it_last(ledger: Ledger) -> None:
    staged(ledger, row(2, 1), row(3, 2))
    second = staged(ledger, row(7, 2, reason="another"), run_id="run-2")
    ((number, work),) = ledger.work(second, 0, series=False, limit=9)
    assert (number, work.target.appointment_id, work.request.reason) == (7, uuid(2), "another")
