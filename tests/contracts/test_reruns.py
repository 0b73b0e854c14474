"""The same rows staged once more: what is settled stays settled, what failed is taken up again, and nothing is new."""

from __future__ import annotations

from bulk_cancel.core.states import SENDABLE, Event, State
from bulk_cancel.ledger.port import Ledger, RunStart
from support.given import AT, BASE, invalid, put, row, staged, target, uuid

STATES = tuple(State)
ROWS = [*(row(number, number) for number in range(2, 2 + len(STATES))), row(40, 2, first_row=2), invalid(41)]
TAKEN_UP = (State.FAILED, State.SKIPPED)


def original(ledger: Ledger) -> int:
    """Stage a target per state, a row that repeats one and an invalid one; bring each target into its state."""
    run_no = staged(ledger, *ROWS)
    for number, state in enumerate(STATES, 2):
        put(ledger, run_no, state, number)
    return run_no


def rerun(ledger: Ledger, run_id: str = "run-2") -> int:
    """Stage the same rows in a run of their own."""
    run_no = ledger.begin_run(RunStart(run_id, AT + 9, BASE, "in.csv", "input", "out-2"))
    ledger.stage(run_no, ROWS, AT + 9)
    ledger.start_run(run_no)
    return run_no


def seen(ledger: Ledger, run_no: int) -> object:
    """Everything a run can see of itself."""
    return (
        ledger.counts(run_no),
        ledger.target_count(run_no),
        ledger.targets_by_state(run_no),
        ledger.sendable_count(run_no),
        ledger.work(run_no, 0, series=False, limit=100),
        ledger.rows(run_no, 0, 100),
        ledger.states_of(ROWS),
    )


def test_a_rerun_finds_each_target_where_it_was_and_takes_up_what_failed(ledger: Ledger) -> None:
    original(ledger)
    run_no = rerun(ledger)
    expected = [State.PENDING if state in TAKEN_UP else state for state in STATES]
    assert [record.state for record in ledger.rows(run_no, 0, 100)] == [*expected, expected[0], None]
    sendable = [number for number, state in enumerate(STATES, 2) if state in {*SENDABLE, *TAKEN_UP}]
    assert [number for number, _ in ledger.work(run_no, 0, series=False, limit=100)] == sendable
    assert ledger.verify() == []


def test_a_second_rerun_finds_what_the_first_one_found(ledger: Ledger) -> None:
    original(ledger)
    first = seen(ledger, rerun(ledger))
    events = list(ledger.all_events())
    assert seen(ledger, rerun(ledger, "run-3")) == first
    assert list(ledger.all_events()) == events


def test_the_rows_of_both_runs_name_their_targets(ledger: Ledger) -> None:
    original(ledger)
    run_no = rerun(ledger)
    named = ledger.namings(target(ledger, 2).target.appointment_id, 10)
    assert [(naming.run_no, naming.row) for naming in named] == [(1, 2), (1, 40), (run_no, 2), (run_no, 40)]


def test_a_rerun_says_what_it_restaged(ledger: Ledger) -> None:
    original(ledger)
    run_no = rerun(ledger)
    record = ledger.runs()[0]
    assert (record.run_no, record.status, record.out, record.input_digest) == (run_no, "running", "out-2", "input")
    for state in TAKEN_UP:
        work = target(ledger, STATES.index(state) + 2)
        assert work.state is State.PENDING
        last = ledger.history(work.target_id)[-1]
        assert (last.event, last.at, last.run_id) == (Event.RESTAGED, AT + 9, "run-2")


def test_a_target_belongs_to_the_run_that_named_it_last(ledger: Ledger) -> None:
    staged(ledger, row(2, 1), row(3, 2))
    second = staged(ledger, row(7, 2, reason="another"), run_id="run-2")
    ((number, work),) = ledger.work(second, 0, series=False, limit=9)
    assert (number, work.target.appointment_id, work.request.reason) == (7, uuid(2), "another")
