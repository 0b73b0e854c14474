"""What is no whole ledger of ours is refused in a sentence, before anything is sent, and left as it is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from bulk_cancel.errors import ConfigError, Exit, LedgerCreateError, LedgerDiskError, LedgerError
from bulk_cancel.ledger.schema_version import SCHEMA_VERSION
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import begin
from support.ledger_files import fingerprint, make, raw

NOBODY = 65534


def _text(path: Path) -> None:
    path.write_text("appointment_id,reason\n" * 100)


def _short_text(path: Path) -> None:
    path.write_text("hello")


def _foreign(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE songs (title)")
    connection.close()


def _foreign_in_wal_mode(path: Path) -> None:
    _foreign(path)
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.close()


def _foreign_with_a_name(path: Path) -> None:
    _foreign(path)
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", 42)
    connection.close()


def _nothing(path: Path) -> None:
    path.touch()


def _cut_to_nothing(path: Path) -> None:
    make(path)
    os.truncate(path, 0)


def _cut_in_the_header(path: Path) -> None:
    make(path)
    os.truncate(path, 50)


def _cut_to_a_page(path: Path) -> None:
    make(path)
    os.truncate(path, 4096)


def _cut_in_the_middle(path: Path) -> None:
    make(path)
    os.truncate(path, path.stat().st_size // 2)


def _torn(path: Path) -> None:
    make(path)
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(os.urandom(4096))


def _of_schema(version: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        make(path)
        connection = apsw.Connection(str(path))
        connection.pragma("user_version", version)
        connection.close()

    spoil.__name__ = f"_of_schema_{version}"
    return spoil


REFUSED: list[tuple[Callable[[Path], None], str, str]] = [
    (_text, "not an SQLite file", "Name another --ledger"),
    (_short_text, "not an SQLite file", "Name another --ledger"),
    (_foreign, "an SQLite file of another program", "Name another --ledger"),
    (_foreign_in_wal_mode, "an SQLite file of another program", "Name another --ledger"),
    (_foreign_with_a_name, "an SQLite file of another program", "Name another --ledger"),
    (_nothing, "is empty: its history is lost", "Restore a backup"),
    (_cut_to_nothing, "is empty: its history is lost", "Restore a backup"),
    (_cut_in_the_header, "an SQLite file of another program", "Name another --ledger"),
    (_cut_to_a_page, "is damaged", "Restore a backup"),
    (_cut_in_the_middle, "is damaged", "Restore a backup"),
    (_torn, "is damaged", "Restore a backup"),
    *(
        (_of_schema(version), f"has schema {version}; this bulk-cancel knows only schema {SCHEMA_VERSION}", "Keep it")
        for version in (0, SCHEMA_VERSION + 1, SCHEMA_VERSION + 2)
    ),
]
#: A reader does not look at every page.
ONLY_WRITERS_REFUSE = {_cut_to_a_page, _cut_in_the_middle, _torn}


@pytest.mark.parametrize(("spoil", "reason", "advice"), REFUSED, ids=[case[0].__name__ for case in REFUSED])
def test_a_file_that_is_no_whole_ledger_is_refused(
    path: Path, spoil: Callable[[Path], None], reason: str, advice: str
) -> None:
    spoil(path)
    before = fingerprint(path.parent)
    for opens in (SqliteLedger.open, SqliteLedger.open_to_read):
        if opens == SqliteLedger.open_to_read and spoil in ONLY_WRITERS_REFUSE:
            continue
        with pytest.raises(LedgerError, match=reason) as refused:
            opens(path)
        assert type(refused.value) is LedgerError
        assert refused.value.exit_code is Exit.CONFIG
        assert advice in refused.value.advice
        assert str(path) in str(refused.value)
        assert fingerprint(path.parent) == before


def test_a_text_that_is_no_utf_8_is_damage(path: Path) -> None:
    make(path)
    with raw(path) as connection:
        connection.execute("UPDATE meta SET value = CAST(x'80' AS TEXT)")
    ledger = SqliteLedger.open_to_read(path)
    with pytest.raises(LedgerError, match="is damaged: a text in it is no UTF-8"):
        ledger.meta("ledger_id")
    ledger.close()


def test_a_directory_is_no_ledger(path: Path) -> None:
    path.mkdir()
    for opens in (SqliteLedger.open, SqliteLedger.open_to_read):
        with pytest.raises(LedgerError, match="is not a file"):
            opens(path)


def test_a_pipe_is_no_ledger_and_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    for opens in (SqliteLedger.open, SqliteLedger.open_to_read):
        with pytest.raises(LedgerError, match="is not a file"):
            opens(path)


@pytest.mark.parametrize("there", [True, False], ids=["to a ledger", "to nothing"])
def test_a_symbolic_link_is_not_written_through(path: Path, there: bool) -> None:
    real = path.with_name("real.db")
    if there:
        make(real)
    path.symlink_to(real)
    with pytest.raises(LedgerError, match="is a symbolic link") as refused:
        SqliteLedger.open(path)
    assert "Name the file itself" in refused.value.advice
    assert real.exists() is there


def test_a_file_with_a_second_name_is_refused(path: Path) -> None:
    """Locks, and the log beside the database, go by names: a run under the other one would send the same rows."""
    make(path)
    path.with_name("other.db").hardlink_to(path)
    for opens in (SqliteLedger.open, SqliteLedger.open_to_read):
        with pytest.raises(LedgerError, match="has a second name") as refused:
            opens(path)
        assert "Remove the other name" in refused.value.advice


def test_a_folder_in_which_everybody_may_write_is_refused(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="Everybody may write") as refused:
        SqliteLedger.open(path)
    assert refused.value.advice.endswith(f"chmod o-w '{path.parent}'")
    assert not path.exists()


def test_no_backup_is_put_where_everybody_may_write(path: Path) -> None:
    make(path)
    (folder := path.parent / "open").mkdir()
    folder.chmod(0o777)
    ledger = SqliteLedger.open_to_read(path)
    with pytest.raises(ConfigError, match="Everybody may write"):
        ledger.backup(folder / "copy.db")
    ledger.close()
    assert list(folder.iterdir()) == []


def test_a_folder_can_be_made_in_a_sticky_one_such_as_tmp(path: Path) -> None:
    path.parent.chmod(0o1777)
    SqliteLedger.open(path).close()


def test_there_has_to_be_a_ledger_to_read(path: Path) -> None:
    with pytest.raises(LedgerError, match="There is no ledger") as refused:
        SqliteLedger.open_to_read(path)
    assert "--ledger" in refused.value.advice
    assert not path.exists()


@pytest.fixture
def owned() -> Iterator[Path]:
    """A folder that belongs to whom `without_root` turns into."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)
        Path(folder).chmod(0o700)


@contextmanager
def without_root() -> Iterator[None]:
    """Permissions stop nobody who is root: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_ledger_that_may_only_be_read_is_refused_for_writing_and_read(owned: Path) -> None:
    with without_root():
        make(owned / "ledger.db")
        (owned / "ledger.db").chmod(0o400)
        before = fingerprint(owned)
        with pytest.raises(LedgerError, match="may only be read") as refused:
            SqliteLedger.open(owned / "ledger.db")
        assert "chmod u+w" in refused.value.advice
        assert fingerprint(owned) == before
        assert_readable(owned / "ledger.db")
        assert fingerprint(owned) == before


def test_a_ledger_in_a_folder_that_may_only_be_read_is_refused_for_writing_and_read(owned: Path) -> None:
    with without_root():
        make(owned / "ledger.db")
        owned.chmod(0o500)
        before = fingerprint(owned)
        with pytest.raises(LedgerDiskError, match="The disk refused the ledger") as refused:
            SqliteLedger.open(owned / "ledger.db")
        assert refused.value.exit_code is Exit.DISK
        assert "folder's permissions" in refused.value.advice
        assert_readable(owned / "ledger.db")
        assert fingerprint(owned) == before


def test_a_folder_that_may_only_be_read_gets_no_ledger(owned: Path) -> None:
    with without_root():
        owned.chmod(0o500)
        with pytest.raises(LedgerCreateError, match="cannot be created: Permission denied") as refused:
            SqliteLedger.open(owned / "ledger.db")
        assert refused.value.exit_code is Exit.CANNOT_CREATE


def assert_readable(path: Path) -> None:
    ledger = SqliteLedger.open_to_read(path)
    assert (len(ledger.runs()), ledger.verify()) == (1, [])
    with pytest.raises(LedgerDiskError):
        begin(ledger, "run-2")
    ledger.close()


# -- a schema that is not ours to the letter ---------------------------------------------------------------------------

ALTERATIONS = {
    "a trigger dropped": ("DROP TRIGGER events_stay", "the trigger events_stay is missing"),
    "a trigger planted": (
        "CREATE TRIGGER evil AFTER INSERT ON seals BEGIN UPDATE targets SET reason = 'mine'; END",
        "the trigger evil is not one of its own",
    ),
    "a trigger exchanged": (
        "DROP TRIGGER events_stay; CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT 1; END",
        "the trigger events_stay is different",
    ),
    "the law widened": (
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' unknown>cancelled', "
        "' unknown>pending unknown>cancelled') WHERE name = 'targets_obey'",
        "the trigger targets_obey is different",
    ),
    "a check taken away": (
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' CHECK (cancel_all IN (0, 1))', '') "
        "WHERE name = 'targets'",
        "the table targets is different",
    ),
    "a column added": ("ALTER TABLE targets ADD COLUMN more TEXT", "the table targets is different"),
    "a table planted": ("CREATE TABLE more (x)", "the table more is not one of its own"),
    "a view planted": ("CREATE VIEW more AS SELECT 1", "the view more is not one of its own"),
    "an index dropped": ("DROP INDEX targets_open", "the index targets_open is missing"),
    "a name that hides": ('CREATE TABLE "\x1b[2J" (x)', r"the table \x1b[2J is not one of its own"),
}


@pytest.mark.parametrize(("statements", "told"), ALTERATIONS.values(), ids=ALTERATIONS)
def test_a_ledger_that_was_altered_is_refused_and_left_as_it_is(path: Path, statements: str, told: str) -> None:
    make(path)
    with raw(path) as connection:
        connection.execute(statements).fetchall()
    before = fingerprint(path.parent)
    for opens in (SqliteLedger.open, SqliteLedger.open_to_read):
        with pytest.raises(LedgerError, match=re.escape(told)) as refused:
            opens(path)
        assert refused.value.exit_code is Exit.CONFIG
    assert fingerprint(path.parent) == before


def test_the_tables_of_analyze_do_not_count_as_an_alteration(path: Path) -> None:
    make(path)
    with raw(path) as connection:
        connection.execute("ANALYZE").fetchall()
    SqliteLedger.open(path).close()


def test_a_ledger_of_another_user_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(LedgerError, match="belongs to another user"):
        SqliteLedger.open(path)
    SqliteLedger.open_to_read(path).close()
