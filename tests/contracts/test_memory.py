"""What the ledger remembers: counts, rows, runs, pace, facts, and all of it after it was closed."""

from __future__ import annotations

from collections import Counter

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import Ledger, PaceUpdate, RunStart
from contracts.conftest import Open
from support.given import AT, BASE, HISTORIES, begin, entry, invalid, put, row, staged, target, uuid


def one_of_each(ledger: Ledger) -> int:
    """Stage a target per state, a row that repeats each, and an invalid one."""
    states = list(State)
    firsts = [row(number, number) for number in range(2, 2 + len(states))]
    repeats = [first._replace(row=first.row + 100) for first in firsts]
    run_no = staged(ledger, *firsts, *repeats, invalid(300))
    for number, state in enumerate(states, 2):
        put(ledger, run_no, state, number)
    return run_no


def test_counts_rows_and_targets_agree(ledger: Ledger) -> None:
    run_no = one_of_each(ledger)
    records = ledger.rows(run_no, 0, 1000)
    assert ledger.counts(run_no) == dict.fromkeys(State, 2) | {None: 1}
    assert ledger.counts(run_no) == Counter(record.state for record in records)
    assert ledger.target_count(run_no) == len({record.target for record in records if record.target}) == len(State)


def test_rows_come_in_chunks_in_row_order(ledger: Ledger) -> None:
    run_no = one_of_each(ledger)
    whole = ledger.rows(run_no, 0, 1000)
    pieces, after = [], 0
    while chunk := ledger.rows(run_no, after, 4):
        pieces += chunk
        after = chunk[-1].row
    assert pieces == whole
    assert [record.row for record in whole] == sorted(record.row for record in whole)


def test_a_row_tells_what_was_asked_and_what_came_of_it(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1, attendee_id=uuid(50), cancel_all=True, reason=None, user_id=uuid(900)))
    (record,) = ledger.rows(run_no, 0, 10)
    assert record.target == target(ledger, 1, 50).target
    assert (record.reason, record.cancel_all, record.user_id) == (None, True, uuid(900))
    assert (record.attempts, record.settled_at, record.http_status, record.warnings) == (0, None, None, "")


def test_a_run_without_rows_counts_nothing(ledger: Ledger) -> None:
    run_no = staged(ledger)
    assert (ledger.counts(run_no), ledger.target_count(run_no), ledger.rows(run_no, 0, 10)) == ({}, 0, [])


def test_runs_go_from_staging_to_running_to_ended(ledger: Ledger) -> None:
    start = RunStart("run-1", AT, BASE, "in.csv", "sha256", "runs/run-1", Provenance(version="bulk-cancel 0.1"))
    run_no = ledger.begin_run(start)
    (begun,) = ledger.runs()
    assert (begun.run_no, begun.run_id, begun.status, begun.started_at) == (run_no, "run-1", "staging", AT)
    assert (begun.source, begun.input_digest, begun.out) == ("in.csv", "sha256", "runs/run-1")
    ledger.start_run(run_no)
    assert ledger.runs()[0].status == "running"
    ledger.end_run(run_no, AT + 9, '{"rows": 0}')
    (ended,) = ledger.runs()
    assert (ended.status, ended.ended_at, ended.summary) == ("ended", AT + 9, '{"rows": 0}')


def test_an_ended_run_is_not_started_again(ledger: Ledger) -> None:
    run_no = staged(ledger)
    ledger.end_run(run_no, AT, "{}")
    ledger.start_run(run_no)
    assert ledger.runs()[0].status == "ended"


def test_runs_are_found_newest_first_or_by_id(ledger: Ledger) -> None:
    for number in range(5):
        begin(ledger, f"run-{number}")
    assert [run.run_id for run in ledger.runs(limit=3)] == ["run-4", "run-3", "run-2"]
    assert [run.run_id for run in ledger.runs("run-1")] == ["run-1"]
    assert ledger.runs("no such run") == []


def test_the_pace_is_kept_per_credential(ledger: Ledger) -> None:
    run_no = begin(ledger)
    ours, theirs = PaceRecord(AT, 10.5, "boot"), PaceRecord(AT + 1, 11.5, None)
    assert ledger.load_pace("ours") is None
    ledger.append(run_no, [], PaceUpdate("ours", PaceRecord(AT - 5, 5.5, "boot")))
    ledger.append(run_no, [], PaceUpdate("theirs", theirs))
    ledger.append(run_no, [], PaceUpdate("ours", ours))
    assert (ledger.load_pace("ours"), ledger.load_pace("theirs")) == (ours, theirs)


def test_bind_keeps_the_first_value(ledger: Ledger) -> None:
    assert ledger.bind("api_url", "https://one.example") == "https://one.example"
    assert ledger.bind("api_url", "https://two.example") == "https://one.example"
    assert ledger.bind("company_id", "c-1") == "c-1"


def test_the_history_of_all_targets_comes_in_the_order_in_which_it_happened(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 2, attendee_id=uuid(50)))
    for work, event in ((target(ledger, 2, 50), Event.INTENT), (target(ledger, 1), Event.SKIPPED)):
        ledger.append(run_no, [entry(work, event)])
    assert [line[:6] for line in ledger.all_events()] == [
        (uuid(2), uuid(50), 0, "run-1", "intent", 1),
        (uuid(1), "", 0, "run-1", "skipped", 0),
    ]


def test_an_unknown_appointment_has_no_targets_and_no_target_no_history(ledger: Ledger) -> None:
    assert ledger.find_targets(uuid(1)) == []
    assert ledger.history(1) == []


def test_a_closed_ledger_keeps_everything(open_ledger: Open) -> None:
    ledger = open_ledger()
    run_no = one_of_each(ledger)
    ledger.append(run_no, [], PaceUpdate("ours", PaceRecord(AT, 10.5, "boot")))
    ledger.bind("api_url", "https://one.example")
    ledger.end_run(run_no, AT, "{}")
    before = everything(ledger, run_no)
    ledger.close()
    ledger.close()
    again = open_ledger()
    assert everything(again, run_no) == before
    assert again.verify() == []


def everything(ledger: Ledger, run_no: int) -> object:
    facts = ledger.bind("api_url", "https://another.example"), ledger.load_pace("ours"), ledger.runs()
    histories = [ledger.history(number) for number in range(1, 1 + len(HISTORIES))]
    return facts, histories, list(ledger.all_events()), ledger.rows(run_no, 0, 1000), ledger.unknown(0, 1000)
