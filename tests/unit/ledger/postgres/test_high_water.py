"""A restored database that is older than this machine knows it is refused, as a file is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bulk_cancel.access.ledgers import LedgerDatabase
from bulk_cancel.access.machine import Machine
from bulk_cancel.commands.resolve import forget
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.states import Event, State
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.errors import Exit, LedgerError, UsageError
from bulk_cancel.ledger.high_water import Marks, id_of, seen_now
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.ledger.postgres import PostgresLedger
from support.given import HISTORIES, begin, move, put, row, staged, target
from support.postgres import Server


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "state" / "ledgers")


def cancel(url: str, marks: Marks, *numbers: int) -> None:
    """Record in a session of its own that these appointments were cancelled: two events each."""
    with closing(PostgresLedger.open(url, marks=marks)) as ledger:
        run_no = staged(ledger, *(row(number + 1, number) for number in numbers), run_id=f"run-{numbers}")
        for number in numbers:
            for event in HISTORIES[State.CANCELLED]:
                move(ledger, run_no, target(ledger, number), event)


@pytest.fixture
def restored(postgres_server: Server, postgres_url: str, marks: Marks) -> Iterator[str]:
    """A copy of the ledger after one cancel; the ledger went on to a second one."""
    cancel(postgres_url, marks, 1)
    with postgres_server.database(conninfo_to_dict(postgres_url)["dbname"]) as url:
        cancel(postgres_url, marks, 2)
        yield url


def refused(url: str, marks: Marks) -> LedgerError:
    with pytest.raises(LedgerError) as error:
        PostgresLedger.open(url, marks=marks)
    assert error.value.exit_code is Exit.CONFIG
    return error.value


def test_the_ledger_that_this_machine_knows_goes_on_and_is_no_news(emptied_url: str, marks: Marks) -> None:
    cancel(emptied_url, marks, 1)
    with closing(PostgresLedger.open(emptied_url, marks=marks)) as ledger:
        assert (ledger.notice, ledger.verify()) == ("", [])


def test_a_restored_dump_that_is_older_is_refused_with_what_is_missing(restored: str, marks: Marks) -> None:
    error = refused(restored, marks)
    assert "the newest 2 of its 4 events are missing" in str(error)
    assert "restore the newest one" in error.advice
    assert "ledger forget --ledger 'postgresql://" in error.advice
    with closing(PostgresLedger.open_to_read(restored, marks=marks)) as ledger:
        assert any("the newest 2 of its 4 events are missing" in line for line in ledger.verify())
    with pytest.raises(LedgerError, match="are missing"):
        LedgerDatabase(restored, marks).refuse_lost()


def test_a_history_that_went_on_from_a_restored_dump_is_refused(restored: str, marks: Marks, tmp_path: Path) -> None:
    cancel(restored, Marks(tmp_path / "another machine"), 3, 4)
    assert "was continued from an older copy: its event 4" in str(refused(restored, marks))


def test_a_machine_that_has_not_seen_it_says_so_once(restored: str, tmp_path: Path) -> None:
    elsewhere, notices = Marks(tmp_path / "another machine"), []
    for _ in range(2):
        with closing(PostgresLedger.open(restored, marks=elsewhere)) as ledger:
            notices.append(ledger.notice)
    assert "ends with its event 2. This machine has not seen it before" in notices[0]
    assert notices[1] == ""


def test_a_schema_that_is_gone_is_not_begun_anew_until_it_is_forgotten(postgres_url: str, marks: Marks) -> None:
    with closing(PostgresLedger.open(postgres_url, marks=marks)) as ledger:
        put(ledger, staged(ledger, row(2, 1)), State.UNKNOWN, 1)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA bulk_cancel CASCADE")
    assert "is gone: this machine has seen 2 events of it" in str(refused(postgres_url, marks))
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT to_regnamespace('bulk_cancel')").fetchone() == (None,), "nothing was made"
    place = LedgerDatabase(postgres_url, marks)
    with pytest.raises(LedgerError, match="is gone"):
        place.refuse_lost()
    machine = Machine({})
    with pytest.raises(UsageError, match="too early to forget it"):
        forget(place, machine)
    later = Clock(lambda: 0.0, TimeBase(None, system_clock().now() + 616))
    assert forget(place, replace(machine, clock=later)) == 2
    with closing(PostgresLedger.open(postgres_url, marks=marks)) as ledger:
        assert list(ledger.all_events()) == []


def test_a_mark_of_many_writers_does_not_go_back(emptied_url: str, marks: Marks) -> None:
    first, second = (PostgresLedger.open(emptied_url, marks=marks) for _ in range(2))
    with closing(first), closing(second):
        run_no = staged(first, row(2, 1), row(3, 2))
        move(first, run_no, target(first, 1), Event.INTENT)
        move(second, run_no, target(second, 2), Event.INTENT)
        mark = second.mark()
        assert mark is not None
        assert mark.seen.number == 2
        first._keeper.move(1, mark.seen.digest)  # type: ignore[union-attr]
        assert second.mark() == mark


def test_a_mark_of_many_writers_keeps_what_one_of_them_sent_without_an_answer(emptied_url: str, marks: Marks) -> None:
    first, second = (PostgresLedger.open(emptied_url, marks=marks) for _ in range(2))
    with closing(first), closing(second):
        run_no = staged(first, row(2, 1), row(3, 2))
        move(first, run_no, target(first, 1), *HISTORIES[State.UNKNOWN])
        mark = second.mark()
        assert mark is not None
        move(second, run_no, target(second, 2), *HISTORIES[State.CANCELLED])
        after = second.mark()
        assert after is not None
        assert after.seen.unanswered.at >= mark.seen.unanswered.at > 0
        assert after.seen.number == 4
        move(second, run_no, target(second, 1), Event.SEEN_CANCELLED)
        assert second.mark().seen.unanswered.due_at == 0  # type: ignore[union-attr]


def test_what_another_process_sends_while_a_mark_is_cleared_stays_in_it(emptied_url: str, marks: Marks) -> None:
    with closing(PostgresLedger.open(emptied_url, marks=marks)) as ledger:
        run_no = staged(ledger, row(2, 1), row(3, 2))
        move(ledger, run_no, target(ledger, 1), Event.INTENT)
        first, second = (marks.keep(id_of(ledger._rows), ledger.place, seen_now(ledger._rows)) for _ in range(2))
        assert first
        assert second

        def answer_meanwhile(name: str) -> list[tuple[bool]]:
            second.heard(4_000_000_000.0, 60.0)
            second.move(5, 64 * "5")
            return [(False,)]

        first.clear_answered(answer_meanwhile)
        first.move(6, 64 * "6")
        mark = ledger.mark()
        assert mark is not None
        assert (mark.seen.number, mark.seen.unanswered.at) == (6, 4_000_000_000.0)
        first.close()
        second.close()


def test_a_mark_tells_the_settle_time_of_the_run_that_sent(emptied_url: str, marks: Marks) -> None:
    with closing(PostgresLedger.open(emptied_url, marks=marks)) as ledger:
        run_no = ledger.begin_run(RunStart("run-1", 0.0, TimeBase(None, 0.0), settle_s=7200.0))
        ledger.stage(run_no, [row(2, 1)], 0.0)
        ledger.start_run(run_no)
        move(ledger, run_no, target(ledger, 1), *HISTORIES[State.UNKNOWN])
    with closing(PostgresLedger.open(emptied_url, marks=marks)) as ledger:
        mark = ledger.mark()
        assert mark is not None
        assert 7115 < mark.seen.unanswered.left_s(system_clock().now()) <= 7215
        move(ledger, begin(ledger, "run-2"), target(ledger, 1), Event.SEEN_CANCELLED)
    with closing(PostgresLedger.open(emptied_url, marks=marks)) as ledger:
        mark = ledger.mark()
        assert mark is not None
        assert mark.seen.unanswered.left_s(system_clock().now()) == 0
