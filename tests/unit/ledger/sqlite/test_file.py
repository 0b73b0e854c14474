"""The file itself: who may read it, how it is synced, how it comes into being, that it stays the same one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import apsw
import pytest

from bulk_cancel.core.states import Event, State
from bulk_cancel.errors import Exit, LedgerCreateError, LedgerError, LockedError
from bulk_cancel.ledger.sqlite import create as making
from bulk_cancel.ledger.sqlite import open as opening
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import begin, entry, put, row, staged, target
from support.ledger_files import COMPANIONS, fingerprint, kill, make


def test_only_the_owner_may_read_any_of_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = tmp_path / "state" / "bulk-cancel" / "ledger.db"
        ledger = SqliteLedger.open(path)
        staged(ledger, row(2, 1))
        ledger.backup(path.with_name("copy.db"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        ledger.close()
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm", "copy.db"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_commits_are_synced_into_the_wal(path: Path) -> None:
    connection, *_ = opening.open_for_writing(path)
    settings = {name: connection.pragma(name) for name in ("journal_mode", "synchronous", "fullfsync")}
    connection.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "fullfsync": 1}


def test_the_bundled_sqlite_is_free_of_the_wal_bug() -> None:
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


def test_a_closed_ledger_is_one_file(path: Path) -> None:
    make(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_ledger_is_made_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """Kills the making of a ledger at its n-th call of the operating system or of SQLite."""
    calls = iter(range(1, 100))

    def dies(*_: object) -> None:
        if next(calls) == cut:
            raise KeyboardInterrupt

    def after(function: object) -> object:
        return lambda *args, **kwargs: (dies(), function(*args, **kwargs))[1]  # type: ignore[operator]

    with monkeypatch.context() as patched:
        for module, name in ((os, "open"), (os, "fsync"), (os, "close"), (making, "statements"), (Path, "replace")):
            patched.setattr(module, name, after(getattr(module, name)))
        try:
            making.create(path)
        except KeyboardInterrupt:
            assert not path.exists() or path.stat().st_size > 0
    ledger = SqliteLedger.open(path)
    assert (ledger.verify(), begin(ledger)) == ([], 1)
    ledger.close()


def test_the_remains_of_a_killed_making_do_not_get_into_a_new_ledger(path: Path) -> None:
    other = path.with_name("other.db")
    make(other)
    ledger = SqliteLedger.open(other)
    begin(ledger, "run-2")
    kill(ledger, path.with_name(f".{path.name}.new"))
    ledger.close()
    other.unlink()
    ledger = SqliteLedger.open(path)
    assert (ledger.runs(), ledger.verify()) == ([], [])
    ledger.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("left", ["-wal", "-journal"])
def test_a_journal_without_its_ledger_is_a_lost_ledger(path: Path, left: str) -> None:
    Path(f"{path}{left}").write_bytes(b"history")
    with pytest.raises(LedgerError, match="is gone") as refused:
        SqliteLedger.open(path)
    assert "Put the ledger back" in refused.value.advice
    assert not path.exists()


def _delete(path: Path) -> None:
    path.unlink()


def _exchange(path: Path) -> None:
    making.create(path.with_name("another.db"))
    path.with_name("another.db").replace(path)


def _move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def _delete_wal(path: Path) -> None:
    Path(f"{path}-wal").unlink()


@pytest.mark.parametrize("meddle", [_delete, _exchange, _move, _delete_wal])
@pytest.mark.parametrize("write", ["append", "begin_run", "stage", "start_run", "end_run", "recover", "bind"])
def test_a_ledger_that_is_not_there_any_more_takes_no_write(
    path: Path, meddle: object, write: str, ledger: SqliteLedger
) -> None:
    run_no = staged(ledger, row(2, 1))
    intent = entry(target(ledger, 1), Event.INTENT)
    calls = {
        "append": lambda: ledger.append(run_no, [intent]),
        "begin_run": lambda: begin(ledger, "run-2"),
        "stage": lambda: ledger.stage(run_no, [row(3, 2)], 1.0),
        "start_run": lambda: ledger.start_run(run_no),
        "end_run": lambda: ledger.end_run(run_no, 1.0, "{}"),
        "recover": lambda: ledger.recover(run_no, 1.0),
        "bind": lambda: ledger.bind("key", "value"),
    }
    meddle(path)  # type: ignore[operator]
    with pytest.raises(LedgerError, match="moved, deleted or replaced") as refused:
        calls[write]()
    assert refused.value.exit_code is Exit.CONFIG
    assert "Put it back" in refused.value.advice


def test_another_programs_lock_is_named_and_nothing_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_MS", 10)
    ledger = SqliteLedger.open(path)
    run_no = staged(ledger, row(2, 1))
    browser = apsw.Connection(str(path))
    browser.execute("BEGIN IMMEDIATE")
    intent = entry(target(ledger, 1), Event.INTENT)
    with pytest.raises(LockedError, match=r"Another program keeps the ledger .* locked") as refused:
        ledger.append(run_no, [intent])
    assert "database browser" in refused.value.advice
    browser.execute("ROLLBACK")
    browser.close()
    ledger.append(run_no, [intent])
    assert target(ledger, 1).state is State.SENDING
    ledger.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerCreateError, match=r"cannot be created: \S*/file is no folder") as refused:
        SqliteLedger.open(tmp_path / "file" / "ledger.db")
    assert refused.value.exit_code is Exit.CANNOT_CREATE
    assert "Choose another place" in refused.value.advice


def test_a_killed_run_is_read_from_its_wal(path: Path, ledger: SqliteLedger) -> None:
    run_no = staged(ledger, row(2, 1))
    put(ledger, run_no, State.SENDING, 1)
    (path.parent / "killed").mkdir()
    copy = kill(ledger, path.parent / "killed" / "ledger.db")
    assert set(fingerprint(copy.parent)) == {f"{copy.name}{suffix}" for suffix in COMPANIONS if suffix != "-journal"}
    again = SqliteLedger.open(copy)
    assert (again.recover(run_no, 1.0), again.verify()) == (1, [])
    again.close()
