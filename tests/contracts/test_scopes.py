"""What one runner works on: the targets of one account, and of those perhaps only a chunk of a run's rows."""

from __future__ import annotations

import pytest

from bulk_cancel.core.model import Chunk, Scope
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import Ledger
from support.given import AT, begin, move, put, row, staged, target

BERLIN, PARIS = Scope("berlin"), Scope("paris")


@pytest.fixture
def run_no(ledger: Ledger) -> int:
    """A run of six rows, of which berlin has the even ones, paris the fifth, and nobody in particular the others."""
    accounts = {2: "berlin", 4: "berlin", 5: "paris", 6: "berlin"}
    return staged(ledger, *(row(number, number, account=accounts.get(number)) for number in range(2, 8)))


def rows_to_send(ledger: Ledger, run_no: int, scope: Scope) -> list[int]:
    found = ledger.work(run_no, 0, series=False, limit=100, scope=scope)
    assert {work.request.account for _, work in found} <= {scope.account}
    return [number for number, _ in found]


def test_each_account_sends_its_own_rows(ledger: Ledger, run_no: int) -> None:
    assert rows_to_send(ledger, run_no, Scope()) == [3, 7]
    assert rows_to_send(ledger, run_no, BERLIN) == [2, 4, 6]
    assert rows_to_send(ledger, run_no, PARIS) == [5]
    assert [ledger.sendable_count(run_no, scope) for scope in (Scope(), BERLIN, PARIS, None)] == [2, 3, 1, 6]


def test_a_chunk_ends_with_its_rows(ledger: Ledger, run_no: int) -> None:
    chunk = Scope("berlin", Chunk(run_no, 1, 2, 4))
    assert rows_to_send(ledger, run_no, chunk) == [4]
    assert ledger.sendable_count(run_no, chunk) == 1
    assert ledger.sendable_count(run_no, Scope("berlin", Chunk(run_no + 1, 1, 2, 4))) == 0


def test_a_chunk_has_either_series_or_other_rows_and_looks_up_series_without_an_outcome(ledger: Ledger) -> None:
    """All other rows wait for such a series, so it is in their chunk, too."""
    run_no = staged(ledger, row(2, 2), row(3, 3, entire_series=True), row(4, 4), row(5, 5, entire_series=True))
    others, series = Scope("", Chunk(run_no, 1, 0, 4)), Scope("", Chunk(run_no, 2, 0, 4, series=True))
    asked = [(scope, kind) for scope in (others, series) for kind in (False, True)]
    found = [[number for number, _ in ledger.work(run_no, 0, series=k, limit=9, scope=s)] for s, k in asked]
    assert found == [[2, 4], [], [], [3]]
    assert [ledger.sendable_count(run_no, scope) for scope in (others, series)] == [2, 1]
    move(ledger, run_no, target(ledger, 3, series=True), Event.INTENT)
    assert [ledger.unknown_count(scope) for scope in (others, series)] == [1, 1]
    assert [ledger.recover(run_no, AT, scope) for scope in (others, series)] == [1, 0]
    assert [len(ledger.unknown(0, 9, scope)) for scope in (others, series)] == [1, 1]


def test_after_a_rerun_the_rows_are_in_its_chunks_alone(ledger: Ledger, run_no: int) -> None:
    again = staged(ledger, *(row(number, number, account="berlin") for number in range(2, 8)), run_id="run-2")
    assert rows_to_send(ledger, run_no, Scope("berlin", Chunk(run_no, 1, 2, 4))) == []
    chunk = Scope("berlin", Chunk(again, 1, 2, 4))
    assert rows_to_send(ledger, again, chunk) == [3, 4]
    assert ledger.sendable_count(again, chunk) == 2
    put(ledger, again, State.UNKNOWN, 4)
    assert ledger.unknown_count(chunk) == 1


def test_the_accounts_are_those_of_what_can_be_sent_and_of_what_is_open(ledger: Ledger, run_no: int) -> None:
    assert ledger.accounts(run_no) == ["", "berlin", "paris"]
    put(ledger, run_no, State.CANCELLED, 5)
    assert ledger.accounts(run_no) == ["", "berlin"]
    put(ledger, run_no, State.UNKNOWN, 2)
    assert ledger.accounts(begin(ledger, "run-2")) == ["berlin"]


def test_recovery_and_reconcile_stay_within_their_scope(ledger: Ledger, run_no: int) -> None:
    for number in (2, 4, 5):
        put(ledger, run_no, State.SENDING, number)
    assert ledger.recover(run_no, AT, Scope()) == 0
    chunk = Scope("berlin", Chunk(run_no, 1, 2, 4))
    assert ledger.recover(run_no, AT, chunk) == 1
    assert (target(ledger, 2).state, target(ledger, 4).state) == (State.SENDING, State.UNKNOWN)
    assert ledger.recover(run_no, AT, BERLIN) == 1
    assert [item.work.target for item in ledger.unknown(0, 9, BERLIN)] == [target(ledger, n).target for n in (2, 4)]
    assert [item.work.target for item in ledger.unknown(0, 9, chunk)] == [target(ledger, 4).target]
    assert ledger.unknown(0, 9, PARIS) == []
    assert [ledger.unknown_count(scope) for scope in (Scope(), BERLIN, chunk, PARIS, None)] == [0, 2, 1, 1, 3]
    assert ledger.recover(run_no, AT) == 1


def test_a_refusal_of_one_account_can_be_asked_of_another(ledger: Ledger, run_no: int) -> None:
    put(ledger, run_no, State.REJECTED, 2)
    asked_again = row(2, 2, account="paris")
    assert ledger.states_of([row(2, 2, account="berlin"), asked_again]) == [State.REJECTED, State.PENDING]
    again = staged(ledger, asked_again, run_id="run-2")
    assert rows_to_send(ledger, again, PARIS) == [2]


def test_a_row_tells_its_account(ledger: Ledger, run_no: int) -> None:
    assert [record.account for record in ledger.rows(run_no, 0, 9)] == ["berlin", "", "berlin", "paris", "berlin", ""]
