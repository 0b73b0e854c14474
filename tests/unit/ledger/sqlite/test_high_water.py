"""A ledger that is older than this machine knows it is refused; so is a new one in the place of a lost one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bulk_cancel.access.ledgers import LedgerFile
from bulk_cancel.access.machine import Machine
from bulk_cancel.commands.resolve import forget
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Entry
from bulk_cancel.core.states import Event, State
from bulk_cancel.engine.clock import Clock
from bulk_cancel.errors import Exit, LedgerError, LockedError, UsageError
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.port import GuardError, RunStart
from bulk_cancel.ledger.sqlite import appending, file_guard
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger, reading
from support.given import AT, BASE, HISTORIES, begin, move, row, staged, target


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "state" / "ledgers")


@contextmanager
def opened(path: Path, marks: Marks) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger.open(path, marks)
    try:
        yield ledger
    finally:
        ledger.close()


def cancel(ledger: SqliteLedger, *numbers: int) -> None:
    """Record that these appointments were cancelled: two events each, a commit per event."""
    run_no = staged(ledger, *(row(number + 1, number) for number in numbers), run_id=f"run-{numbers}")
    for number in numbers:
        for event in HISTORIES[State.CANCELLED]:
            move(ledger, run_no, target(ledger, number), event)


def kill(ledger: SqliteLedger, path: Path) -> None:
    """Leave the files as `kill -9` does: what is committed is in the WAL alone."""
    files = [path, Path(f"{path}-wal")]
    for file in files:
        shutil.copy2(file, f"{file}.kept")
    ledger.close()
    for file in files:
        Path(f"{file}.kept").replace(file)


def killed(path: Path, marks: Marks) -> None:
    """A ledger whose run was killed after three cancels."""
    ledger = SqliteLedger.open(path, marks)
    cancel(ledger, 1, 2, 3)
    kill(ledger, path)


def refused(path: Path, marks: Marks) -> LedgerError:
    """Open for writing and be refused; the file stays what it was."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(LedgerError) as error:
        SqliteLedger.open(path, marks)
    assert (path.read_bytes() if path.exists() else None) == before
    assert error.value.exit_code is Exit.CONFIG
    return error.value


def test_a_killed_ledger_goes_on_and_is_no_news(path: Path, marks: Marks) -> None:
    killed(path, marks)
    with opened(path, marks) as ledger:
        assert (ledger.notice, len(list(ledger.all_events()))) == ("", 6)


@pytest.mark.parametrize("how", [shutil.copyfile, shutil.move], ids=["cp", "mv"])
def test_the_main_file_alone_is_refused_with_what_is_missing_and_what_to_do(
    path: Path, marks: Marks, how: Callable[[Path, Path], object]
) -> None:
    killed(path, marks)
    other = path.with_name("other.db")
    how(path, other)
    error = refused(other, marks)
    assert "the newest 6 of its 6 events are missing" in str(error)
    assert "other.db-wal" in error.advice
    assert f"ledger forget --ledger '{path}'" in error.advice
    assert "wait until" not in error.advice, "all cancels have an outcome"


def test_an_older_copy_is_refused_whole_as_it_is(path: Path, marks: Marks) -> None:
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
    shutil.copyfile(path, path.with_name("older.db"))
    with opened(path, marks) as ledger:
        cancel(ledger, 2)
    path.with_name("older.db").replace(path)
    assert "the newest 2 of its 4 events are missing" in str(refused(path, marks))
    with reading(path, marks) as ledger:
        assert any("the newest 2 of its 4 events are missing" in line for line in ledger.verify())


def test_a_history_that_went_on_from_an_older_copy_is_refused(path: Path, marks: Marks, tmp_path: Path) -> None:
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
    elsewhere = tmp_path / "elsewhere.db"
    shutil.copyfile(path, elsewhere)
    with opened(path, marks) as ledger:
        cancel(ledger, 2)
    with opened(elsewhere, Marks(tmp_path / "another machine")) as ledger:
        cancel(ledger, 3, 4)
    assert "was continued from an older copy: its event 4" in str(refused(elsewhere, marks))


def test_a_ledger_that_is_gone_is_not_begun_anew_until_it_is_forgotten(path: Path, marks: Marks) -> None:
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
    path.unlink()
    error = refused(path, marks)
    assert "is gone: this machine has seen 2 events of it" in str(error)
    assert "--look each" in error.advice
    (mark,) = marks.at(str(path))
    marks.forget(mark)
    with opened(path, marks) as ledger:
        assert list(ledger.all_events()) == []


def test_a_ledger_made_after_an_empty_one_was_lost_is_the_one_that_goes_on(path: Path, marks: Marks) -> None:
    with opened(path, marks) as ledger:
        staged(ledger, row(2, 1))
    empty = path.replace(path.with_name("empty.db"))
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
    newer = path.replace(path.with_name("newer.db"))
    shutil.copyfile(empty, path)
    assert "is gone: this machine has seen 2 events of it" in str(refused(path, marks))
    newer.replace(path)
    with opened(path, marks) as ledger:
        assert len(list(ledger.all_events())) == 2


def test_a_ledger_that_never_recorded_anything_may_be_begun_anew(path: Path, marks: Marks) -> None:
    with opened(path, marks) as ledger:
        staged(ledger, row(2, 1))
    path.unlink()
    with opened(path, marks) as ledger:
        assert ledger.notice == ""


def test_a_ledger_copied_whole_works_on_and_a_machine_that_has_not_seen_it_says_so_once(
    path: Path, marks: Marks, tmp_path: Path
) -> None:
    killed(path, marks)
    for name in ("", "-wal"):
        shutil.copyfile(f"{path}{name}", tmp_path / f"copy.db{name}")
    elsewhere, notices = Marks(tmp_path / "another machine"), []
    for _ in range(2):
        with opened(tmp_path / "copy.db", elsewhere) as ledger:
            notices.append(ledger.notice)
            assert ledger.verify() == []
    assert "ends with its event 6. This machine has not seen it before" in notices[0]
    assert notices[1] == ""


def test_a_backup_says_what_it_is(path: Path, marks: Marks, tmp_path: Path) -> None:
    complete, older = tmp_path / "complete.db", tmp_path / "older.db"
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
        ledger.backup(older)
        cancel(ledger, 2)
        ledger.backup(complete)
    assert "This is a backup of 20" in str(refused(older, marks))
    with opened(complete, marks) as ledger:
        assert "This is a backup of 20" in ledger.notice
        assert "lacks nothing that this machine has seen of it" in ledger.notice
    with opened(complete, marks) as ledger:
        assert ledger.notice == ""
    with opened(older, Marks(tmp_path / "another machine")) as ledger:
        assert "This machine has not seen it before" in ledger.notice


def test_a_wal_beside_an_older_main_file_is_no_history(
    path: Path, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_guard, "CHECKPOINT_PAGES", 60)
    ledger = SqliteLedger.open(path, marks)
    cancel(ledger, *range(1, 70))
    older = path.read_bytes()
    cancel(ledger, *range(100, 300))
    kill(ledger, path)
    path.write_bytes(older)
    assert "is not the file that its -wal belongs to" in str(refused(path, marks))


@pytest.mark.parametrize("file", ["", "-wal"])
@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: data])
def test_a_file_that_somebody_writes_to_is_noticed_at_the_next_commit(
    path: Path, file: str, spoil: Callable[[bytes], bytes]
) -> None:
    ledger = SqliteLedger.open(path)
    cancel(ledger, 1)
    touched = Path(f"{path}{file}")
    touched.write_bytes(spoil(touched.read_bytes()))
    with pytest.raises(LedgerError, match="replaced while in use"):
        cancel(ledger, 2)
    left = touched.read_bytes()
    ledger.close()
    assert touched.read_bytes() == left


def test_an_error_caused_by_a_replaced_file_is_reported_as_that(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(*_: object) -> None:
        path.write_bytes(b"")
        raise ZeroDivisionError

    ledger = SqliteLedger.open(path)
    cancel(ledger, 1)
    monkeypatch.setattr(appending, "append", replaced)
    with pytest.raises(LedgerError, match="replaced while in use"):
        ledger.append(1, [])
    ledger.close()


def test_a_main_file_replaced_during_a_commit_is_noticed_after_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = SqliteLedger.open(path)
    cancel(ledger, 1)
    monkeypatch.setattr(appending, "append", lambda *_: path.write_bytes(path.read_bytes()))
    with pytest.raises(LedgerError, match="replaced while in use"):
        ledger.append(1, [])
    ledger.close()


def test_a_main_file_replaced_during_a_checkpoint_is_noticed_at_the_next_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = SqliteLedger.open(path)
    cancel(ledger, 1)
    noted = file_guard.print_of
    other = Path(shutil.copyfile(path, path.with_name("other.db")))
    monkeypatch.setattr(file_guard, "CHECKPOINT_PAGES", 1)
    checkpoint = file_guard.FileGuard._checkpoint

    def replaced(guard: file_guard.FileGuard) -> None:
        monkeypatch.setattr(file_guard, "print_of", lambda name: (other.replace(path), noted(name))[1])
        checkpoint(guard)
        monkeypatch.setattr(file_guard, "print_of", noted)

    monkeypatch.setattr(file_guard.FileGuard, "_checkpoint", replaced)
    ledger.end_run(1, AT, "")
    with pytest.raises(LedgerError, match="replaced while in use"):
        cancel(ledger, 2)
    ledger.close()


def test_a_mark_is_never_ahead_of_the_ledger_and_behind_by_nothing_when_all_goes_well(
    path: Path, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_guard, "CHECKPOINT_PAGES", 5)
    with opened(path, marks) as ledger:
        for number in range(1, 30):
            cancel(ledger, number)
            mark = ledger.mark()
            assert mark is not None
            assert mark.seen.number == 2 * number
            status = path.stat()
            assert (mark.seen.size, mark.seen.changed_ns) == (status.st_size, status.st_mtime_ns)


def test_a_commit_that_fails_moves_no_mark(path: Path, marks: Marks) -> None:
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
        with pytest.raises(GuardError):
            ledger.append(1, [Entry(1, Event.INTENT, State.PENDING, 1, AT)])
        mark = ledger.mark()
        assert mark is not None
        assert mark.seen.number == 2


def test_marks_are_private_and_unreadable_ones_are_none(path: Path, marks: Marks, tmp_path: Path) -> None:
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
    (file,) = (tmp_path / "state" / "ledgers").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert len(file.read_bytes().partition(b"\n")[0]) == 169
    file.write_bytes(b"what is this")
    with opened(path, marks) as ledger:
        assert "This machine has not seen it before" in ledger.notice


def test_a_state_folder_that_cannot_be_written_stops_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    with opened(path, Marks(tmp_path / "state" / "ledgers")) as ledger:
        cancel(ledger, 1)
        assert ledger.notice == ""


def unanswered(path: Path, marks: Marks, run_id: str, settle_s: float, at: float, appointment: int = 1) -> None:
    """A run whose cancel of one appointment got no answer."""
    with opened(path, marks) as ledger:
        run_no = ledger.begin_run(RunStart(run_id, at, BASE, settle_s=settle_s))
        ledger.stage(run_no, [row(2, appointment)], at)
        ledger.start_run(run_no)
        target_id = target(ledger, appointment).target_id
        ledger.append(run_no, [Entry(target_id, Event.INTENT, State.PENDING, 1, at)])
        ledger.append(run_no, [Entry(target_id, Event.NO_PROOF, State.SENDING, 1, at + 30)])


def test_a_mark_tells_until_when_an_unanswered_cancel_may_take_effect(path: Path, marks: Marks) -> None:
    unanswered(path, marks, "run-1", 7200.0, AT)
    unanswered(path, marks, "run-2", 60.0, AT + 3600, appointment=2)
    path.unlink()
    (mark,) = marks.at(str(path))
    last = mark.seen.unanswered
    assert (last.at, last.settle_s) == (AT + 30, 7200)
    assert [last.left_s(AT + 7200), last.left_s(AT + 7245)] == [45, 0]
    due = datetime.fromtimestamp(AT + 7305, UTC).astimezone()
    assert f"wait until {due:%Y-%m-%d %H:%M}" in refused(path, marks).advice


def test_a_mark_that_was_lost_learns_from_the_ledger_what_has_no_answer(
    path: Path, marks: Marks, tmp_path: Path
) -> None:
    unanswered(path, marks, "run-1", 7200.0, AT)
    elsewhere = Marks(tmp_path / "elsewhere" / "ledgers")
    with opened(path, elsewhere) as ledger:
        mark = ledger.mark()
    assert mark is not None
    assert (mark.seen.unanswered.at, mark.seen.unanswered.settle_s) == (AT + 30, 7200)


def test_when_all_cancels_have_an_outcome_nothing_has_to_be_waited_for(path: Path, marks: Marks) -> None:
    unanswered(path, marks, "run-1", 7200.0, AT)
    with opened(path, marks) as ledger:
        run_no = begin(ledger, "run-2")
        move(ledger, run_no, target(ledger, 1), Event.SEEN_CANCELLED)
        mark = ledger.mark()
    assert mark is not None
    assert mark.seen.unanswered.left_s(AT) == 0


def test_a_lost_ledger_is_not_forgotten_while_a_cancel_may_take_effect(path: Path, tmp_path: Path) -> None:
    place = LedgerFile(path, Marks(tmp_path / "state" / "ledgers"))
    machine = Machine({}, clock=Clock(lambda: 0.0, TimeBase("boot", AT + 100)))
    unanswered(path, place.marks, "run-1", 7200.0, AT)
    path.unlink()
    with pytest.raises(UsageError, match="too early to forget it") as error:
        forget(place, machine)
    assert "in 1 h 59 min" in error.value.advice
    assert place.marks.at(str(path))
    later = replace(machine, clock=Clock(lambda: 0.0, TimeBase("boot", AT + 7246)))
    assert forget(place, later) == 2
    assert not place.marks.at(str(path))


def test_two_whole_copies_do_not_run_at_once_and_the_second_stays_refused(
    path: Path, marks: Marks, tmp_path: Path
) -> None:
    with opened(path, marks) as ledger:
        cancel(ledger, 1)
    copy = tmp_path / "elsewhere" / "copy.db"
    copy.parent.mkdir()
    shutil.copyfile(path, copy)
    with opened(path, marks) as ledger:
        before = copy.read_bytes()
        with pytest.raises(LockedError, match=r"a copy of the ledger .*copy\.db: process \d+") as error:
            SqliteLedger.open(copy, marks)
        assert "its copies know nothing of what it sends" in error.value.advice
        assert copy.read_bytes() == before
        (mark,) = marks.at(str(path))
        with pytest.raises(LockedError):
            marks.forget(mark)
        cancel(ledger, 2)
        assert len(marks.at(str(path))) == 1
    assert "the newest 2 of its 4 events are missing" in str(refused(copy, marks))
