"""An older schema is brought up to date after a backup, in one transaction."""

from __future__ import annotations

import stat
from pathlib import Path

import apsw
import pytest

from bulk_cancel.errors import LedgerCreateError, LedgerError
from bulk_cancel.ledger import making
from bulk_cancel.ledger.sqlite import SqliteLedger
from bulk_cancel.ledger.statements import schema
from support.given import begin
from support.ledger_files import fingerprint, make

TODAY = making.SCHEMA_VERSION
#: What a later version may do; the last statement is where the tests let it break.
NEXT = "ALTER TABLE runs ADD COLUMN engine TEXT; CREATE TABLE heartbeats (worker TEXT) STRICT;"
LAST = "DROP TABLE heartbeats;"


@pytest.fixture
def older(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of today's schema, before a program that knows two more."""
    make(path)
    steps = {TODAY + 1: NEXT, TODAY + 2: LAST}
    monkeypatch.setattr(making, "SCHEMA_VERSION", TODAY + 2)
    monkeypatch.setattr(making, "schema", lambda step: steps.get(step) or schema(step))
    return path


def version_and_tables(path: Path) -> tuple[int, bool, bool]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
    version = int(connection.pragma("user_version"))
    connection.close()
    return version, "engine" in columns, "heartbeats" in tables


def backup_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.schema-{TODAY}.bak")


def test_all_steps_are_taken_and_the_history_is_kept(older: Path) -> None:
    reader = apsw.Connection(str(older), flags=apsw.SQLITE_OPEN_READONLY)
    before = reader.execute("SELECT * FROM events").fetchall()
    reader.close()
    ledger = SqliteLedger.open(older)
    assert len(list(ledger.all_events())) == len(before)
    assert ledger.verify() == []
    ledger.close()
    assert version_and_tables(older) == (TODAY + 2, True, False)


def test_the_backup_is_the_ledger_before(older: Path) -> None:
    SqliteLedger.open(older).close()
    backup = backup_of(older)
    assert version_and_tables(backup) == (TODAY, False, False)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_new_ledger_takes_all_steps_without_a_backup(tmp_path: Path, older: Path) -> None:
    new = tmp_path / "new.db"
    SqliteLedger.open(new).close()
    assert version_and_tables(new) == (TODAY + 2, True, False)
    assert not backup_of(new).exists()


def test_an_up_to_date_ledger_is_not_backed_up(path: Path) -> None:
    make(path)
    SqliteLedger.open(path).close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("broken", [TODAY + 1, TODAY + 2])
def test_a_migration_that_breaks_leaves_the_old_schema(
    older: Path, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    good = making.schema
    with monkeypatch.context() as patched:
        patched.setattr(making, "schema", lambda step: good(step) + ("SELECT no_such_thing;" if step == broken else ""))
        with pytest.raises(apsw.SQLError):
            SqliteLedger.open(older)
    assert version_and_tables(older) == (TODAY, False, False)
    ledger = SqliteLedger.open(older)
    assert ledger.verify() == []
    ledger.close()
    assert version_and_tables(older) == (TODAY + 2, True, False)


@pytest.mark.parametrize("step", [TODAY + 1, TODAY + 2])
def test_a_process_killed_in_the_middle_leaves_the_old_schema(
    older: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Copies the files where the kill strikes; without a page cache the half-done work is in them already."""
    copy = older.with_name("copy.db")
    good = making.schema

    def killed(number: int) -> str:
        if number == step:
            for suffix in ("", "-wal"):
                if Path(f"{older}{suffix}").exists():
                    Path(f"{copy}{suffix}").write_bytes(Path(f"{older}{suffix}").read_bytes())
        return good(number)

    def tiny_cache(connection: apsw.Connection) -> None:
        connection.pragma("cache_size", 1)

    with monkeypatch.context() as patched:
        patched.setattr(making, "schema", killed)
        patched.setattr(apsw, "connection_hooks", [tiny_cache])
        SqliteLedger.open(older).close()
    assert version_and_tables(copy)[0] == TODAY
    SqliteLedger.open(copy).close()
    assert version_and_tables(copy) == (TODAY + 2, True, False)


def test_the_backup_of_an_earlier_attempt_is_no_obstacle(older: Path) -> None:
    backup_of(older).write_text("half a backup")
    SqliteLedger.open(older).close()
    assert version_and_tables(backup_of(older)) == (TODAY, False, False)


def test_a_reader_does_not_migrate(older: Path) -> None:
    before = fingerprint(older.parent)
    with pytest.raises(
        LedgerError, match=f"written by an older bulk-cancel: schema {TODAY}, this one knows {TODAY + 2}"
    ) as refused:
        SqliteLedger.open_to_read(older)
    assert "brings it up to date" in refused.value.advice
    assert fingerprint(older.parent) == before


def test_a_backup_is_whole_also_while_a_run_writes(path: Path) -> None:
    make(path)
    ledger = SqliteLedger.open(path)
    run_no = begin(ledger, "run-2")
    copy = path.with_name("copy.db")
    ledger.backup(copy)
    begin(ledger, "run-3")
    copied = SqliteLedger.open(copy)
    assert (copied.runs()[0].run_no, copied.verify()) == (run_no, [])
    copied.close()
    ledger.close()


def test_a_backup_overwrites_nothing(path: Path) -> None:
    make(path)
    ledger = SqliteLedger.open_to_read(path)
    with pytest.raises(LedgerError, match=r"ledger\.db exists already"):
        ledger.backup(path)
    ledger.close()


def test_a_backup_into_a_folder_that_is_not_there_is_an_error_of_ours(path: Path) -> None:
    make(path)
    ledger = SqliteLedger.open_to_read(path)
    with pytest.raises(LedgerCreateError, match="no/copy"):
        ledger.backup(path.parent / "no" / "copy.db")
    ledger.close()
