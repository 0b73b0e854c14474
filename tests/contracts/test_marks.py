"""What this machine remembers of a ledger: which one is at a place, and how long an unanswered cancel is waited for."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from bulk_cancel.access.ledgers import LedgerDatabase, LedgerFile, LedgerPlace, ledger_place
from bulk_cancel.access.machine import Machine
from bulk_cancel.commands.resolve import forget
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Entry
from bulk_cancel.core.moments import show_moment
from bulk_cancel.core.states import Event
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.errors import LedgerError, UsageError
from bulk_cancel.ledger.high_water import Mark, Marks
from bulk_cancel.ledger.port import Ledger
from support.given import begin, entries, row, staged, target


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.process), "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerPlace:
    is_file = request.param == "sqlite"
    given = str(tmp_path / "ledger.db") if is_file else request.getfixturevalue("emptied_url")
    return ledger_place(given, "", tmp_path / "state")


def happens(ledger: Ledger, run_no: int, appointment: int, *events: Event) -> None:
    """Record events of a target now, in one batch."""
    ledger.append(run_no, happening(ledger, appointment, *events))


def happening(ledger: Ledger, appointment: int, *events: Event) -> list[Entry]:
    now = system_clock().now()
    return [replace(entry, at=now) for entry in entries(target(ledger, appointment), *events)]


def mark_of(place: LedgerPlace) -> Mark:
    with place.reading() as ledger:
        mark = ledger.mark()
    assert mark is not None
    return mark


def assert_waits(place: LedgerPlace, *, waits: bool) -> None:
    assert ("wait until" in mark_of(place).lost("it is")) == waits


def test_while_a_cancel_has_no_answer_its_settle_time_is_waited_for(place: LedgerPlace) -> None:
    with place.alone() as ledger:
        run_no = staged(ledger, row(2, 1), row(3, 2))
        happens(ledger, run_no, 1, Event.INTENT, Event.NO_PROOF)
        assert_waits(place, waits=True)
        happens(ledger, run_no, 2, Event.INTENT)
        happens(ledger, run_no, 2, Event.CANCELLED)
        assert_waits(place, waits=True)
    assert_waits(place, waits=True)


def test_once_all_cancels_have_an_answer_nothing_is_waited_for(place: LedgerPlace) -> None:
    with place.alone() as ledger:
        run_no = staged(ledger, row(2, 1), row(3, 2))
        happens(ledger, run_no, 1, Event.INTENT)
        ledger.append(run_no, [*happening(ledger, 1, Event.CANCELLED), *happening(ledger, 2, Event.INTENT)])
        assert_waits(place, waits=True)
        happens(ledger, run_no, 2, Event.CANCELLED)
        assert_waits(place, waits=False)
    assert_waits(place, waits=False)


def test_an_intent_and_its_answer_in_one_batch_leave_nothing_to_wait_for(place: LedgerPlace) -> None:
    with place.alone() as ledger:
        happens(ledger, staged(ledger, row(2, 1)), 1, Event.INTENT, Event.CANCELLED)
        assert_waits(place, waits=False)


def test_a_later_run_that_answers_the_last_one_leaves_nothing_to_wait_for(place: LedgerPlace) -> None:
    with place.alone() as ledger:
        happens(ledger, staged(ledger, row(2, 1)), 1, Event.INTENT, Event.NO_PROOF)
    with place.alone() as ledger:
        happens(ledger, begin(ledger, "run-2"), 1, Event.SEEN_CANCELLED)
        assert_waits(place, waits=False)
    assert_waits(place, waits=False)


@pytest.mark.parametrize("settle_s", [60.0, 7200.0])
def test_forget_waits_until_the_minute_that_the_refusal_names(place: LedgerPlace, settle_s: float) -> None:
    with place.alone() as ledger:
        sent_at = system_clock().now()
        happens(ledger, staged(ledger, row(2, 1), settle_s=settle_s), 1, Event.INTENT, Event.NO_PROOF)
    mark = mark_of(place)
    due_at = mark.seen.unanswered.due_at
    assert sent_at + settle_s < due_at < sent_at + settle_s + 60
    minute = math.ceil(due_at / 60) * 60
    assert f"wait until {show_moment(minute)} (" in mark.lost("it is")
    with pytest.raises(UsageError, match="too early to forget it") as error:
        forget(place, at(due_at - 1))
    assert f"in 1 s, from {show_moment(minute)} on" in error.value.advice
    assert forget(place, at(minute)) == 2


def lose(place: LedgerPlace) -> None:
    """Remove the ledger at a place."""
    if isinstance(place, LedgerDatabase):
        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA bulk_cancel CASCADE")
    elif isinstance(place, LedgerFile):
        place.path.unlink()


@pytest.mark.parametrize("other", ["of another machine", "that was empty when it was seen"])
def test_another_ledger_in_the_place_of_one_with_a_history_is_refused_until_that_one_is_forgotten(
    place: LedgerPlace, other: str, tmp_path: Path
) -> None:
    with place.alone() as ledger:
        happens(ledger, staged(ledger, row(2, 1)), 1, Event.INTENT, Event.CANCELLED)
    lose(place)
    marks = Marks(tmp_path / "another machine")
    with replace(place, marks=marks).alone() as ledger:  # type: ignore[type-var]
        ledger_id = str(ledger.meta("ledger_id"))
    if other == "that was empty when it was seen":
        place.marks.keep(ledger_id, str(place), marks.of(ledger_id).seen).close()  # type: ignore[union-attr]
    with pytest.raises(LedgerError, match="is gone: this machine has seen 2 events of it") as error, place.alone():
        pass
    assert "name another --ledger for the one that is there" in error.value.advice
    with pytest.raises(LedgerError, match="is gone"):
        place.refuse_lost()
    with place.reading() as opened:
        assert "is gone" in opened.verify()[0]
    assert forget(place, Machine({})) == 2
    with place.alone() as ledger:
        assert list(ledger.all_events()) == []


def at(moment: float) -> Machine:
    """A machine at that time, in seconds since the epoch."""
    return Machine({}, clock=Clock(lambda: 0.0, TimeBase("boot", moment)))
