"""The first input goes in without the key; a crash on the way leaves a ledger that the next run completes."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from bulk_cancel.core.states import Event, State
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import AT, begin, entries, invalid, put, row, staged, target, uuid
from support.ledger_files import kill, make_with_a_wrong_mark


def has_key(path: Path) -> bool:
    connection = apsw.Connection(str(path))
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'targets_key'").fetchall()
    connection.close()
    return bool(found)


@pytest.fixture
def killed(path: Path, tmp_path: Path) -> Path:
    """A ledger as a process leaves it that was killed after the first of two chunks."""
    ledger = SqliteLedger.open(path)
    run_no = begin(ledger)
    ledger.stage(run_no, [row(2, 1), invalid(3), row(4, 1, first_row=2), row(5, 2)], AT)
    copy = kill(ledger, tmp_path / "killed.db")
    ledger.close()
    assert not has_key(copy)
    return copy


def test_the_key_comes_with_the_start_of_the_run(path: Path) -> None:
    ledger = SqliteLedger.open(path)
    run_no = begin(ledger)
    ledger.stage(run_no, [row(2, 1)], AT)
    assert not has_key(path)
    ledger.start_run(run_no)
    assert has_key(path)
    ledger.close()


def test_a_run_without_rows_leaves_the_next_input_the_first(path: Path) -> None:
    ledger = SqliteLedger.open(path)
    staged(ledger)
    assert not has_key(path)
    staged(ledger, row(2, 1), run_id="run-2")
    assert has_key(path)
    ledger.close()


def test_a_killed_staging_gets_its_key_when_it_is_opened(killed: Path) -> None:
    ledger = SqliteLedger.open(killed)
    assert has_key(killed)
    assert ledger.states_of([row(2, 1), row(3, 9)]) == [State.PENDING, None]
    assert ledger.verify() == []
    ledger.close()


def test_the_next_run_takes_up_what_the_killed_one_staged(killed: Path) -> None:
    ledger = SqliteLedger.open(killed)
    run_no = staged(ledger, row(2, 1), invalid(3), row(4, 1, first_row=2), row(5, 2), row(6, 3), run_id="run-2")
    assert [number for number, _ in ledger.work(run_no, 0, series=False, limit=9)] == [2, 5, 6]
    assert ledger.counts(run_no) == {State.PENDING: 4, None: 1}
    assert len(ledger.find_targets(uuid(1))) == 1
    ledger.close()


def test_a_reader_of_a_killed_staging_knows_that_nothing_was_sent(killed: Path) -> None:
    ledger = SqliteLedger.open_to_read(killed)
    assert ledger.states_of([row(2, 1)]) == [None]
    ledger.close()


def test_two_runs_that_both_stage_do_not_mix(path: Path) -> None:
    ledger = SqliteLedger.open(path)
    first, second = begin(ledger), begin(ledger, "run-2")
    ledger.stage(first, [row(2, 1)], AT)
    ledger.stage(second, [row(2, 2), row(3, 1)], AT)
    ledger.stage(first, [row(3, 2)], AT)
    ledger.start_run(second)
    assert ledger.target_count(second) == 2
    assert len(ledger.find_targets(uuid(1))) == len(ledger.find_targets(uuid(2))) == 1
    ledger.close()


def test_an_input_without_a_header_is_staged_in_view_of_what_is_there(path: Path) -> None:
    """Its first row is 1, and a target's id must not be 0: chunks of unknown targets begin after it."""
    ledger = SqliteLedger.open(path)
    run_no = staged(ledger, row(1, 1), row(2, 2))
    put(ledger, run_no, State.UNKNOWN, 1)
    assert [item.work.target.appointment_id for item in ledger.unknown(0, 9)] == [uuid(1)]
    ledger.close()


def test_a_target_that_is_new_twice_is_refused_before_anything_is_sent(path: Path) -> None:
    ledger = SqliteLedger.open(path)
    run_no = begin(ledger)
    ledger.stage(run_no, [row(2, 1)], AT)
    ledger.stage(run_no, [row(3, 1)], AT)
    with pytest.raises(LedgerError, match="names a target twice"):
        ledger.start_run(run_no)
    assert ledger.runs()[0].status == "staging"
    ledger.close()


def test_siblings_of_the_first_input_are_found(path: Path) -> None:
    ledger = SqliteLedger.open(path)
    run_no = staged(ledger, row(2, 1), row(3, 2), row(4, 1, attendee_id=uuid(50)))
    ledger.append(run_no, entries(target(ledger, 1), Event.INTENT, Event.NOT_APPLIED))
    looks = {number: work.must_be_read for number, work in ledger.work(run_no, 0, series=False, limit=9)}
    assert looks == {2: False, 3: False, 4: True}
    ledger.close()


def test_a_sibling_that_a_later_input_brings_is_found(path: Path) -> None:
    ledger = SqliteLedger.open(path)
    first = staged(ledger, row(2, 1), row(3, 2))
    ledger.append(first, entries(target(ledger, 1), Event.INTENT, Event.NO_PROOF))
    run_no = staged(ledger, row(2, 1, attendee_id=uuid(50)), row(3, 2, attendee_id=uuid(50)), run_id="run-2")
    assert [number for number, _ in ledger.work(run_no, 0, series=False, limit=9)] == [3]
    ledger.close()


def test_verify_misses_a_sibling_that_is_not_marked(path: Path) -> None:
    make_with_a_wrong_mark(path)
    ledger = SqliteLedger.open_to_read(path)
    assert ledger.verify() == ["Target 2 is marked as the only one of its appointment, but it has a sibling."]
    ledger.close()
