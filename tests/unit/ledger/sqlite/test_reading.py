"""Reading leaves a ledger byte for byte what it is, beside a writer as well as after one was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.core.states import Event, State
from bulk_cancel.errors import LedgerDiskError, LedgerError
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import begin, entry, put, row, staged, target
from support.ledger_files import fingerprint, kill, make


def read_all(path: Path) -> object:
    ledger = SqliteLedger.open_to_read(path)
    facts = ledger.runs(), ledger.rows(1, 0, 1000), list(ledger.all_events()), ledger.unknown(0, 1000)
    ledger.close()
    return facts


def test_reading_a_closed_ledger_leaves_no_trace(path: Path) -> None:
    make(path)
    before, modified = fingerprint(path.parent), path.stat().st_mtime_ns
    read_all(path)
    assert fingerprint(path.parent) == before
    assert path.stat().st_mtime_ns == modified


def test_a_missing_ledger_names_those_in_its_folder(path: Path) -> None:
    beside = path.with_name("ledger-127-0-0-1-8717-v4.db")
    with pytest.raises(LedgerError, match="no ledger at") as alone:
        read_all(path.with_name("none.db"))
    make(beside)
    with pytest.raises(LedgerError, match="no ledger at") as caught:
        read_all(path.with_name("none.db"))
    assert alone.value.advice == "Name it with --ledger, or run a job first."
    assert caught.value.advice.startswith(f"Beside it: {beside.name}. The usual name goes by the API's address")


def test_reading_beside_a_writer_changes_nothing_and_sees_what_is_committed(path: Path, ledger: SqliteLedger) -> None:
    run_no = staged(ledger, row(2, 1))
    put(ledger, run_no, State.SENDING, 1)
    before = fingerprint(path.parent, without="-shm")  # where readers note what they read
    reader = SqliteLedger.open_to_read(path)
    assert target(reader, 1).state is State.SENDING
    ledger.append(run_no, [entry(target(ledger, 1), Event.CANCELLED)])
    assert target(reader, 1).state is State.CANCELLED
    after_write = fingerprint(path.parent, without="-shm")
    reader.close()
    assert fingerprint(path.parent, without="-shm") == after_write
    assert before["ledger.db"] == after_write["ledger.db"]
    put(ledger, staged(ledger, row(2, 2), run_id="run-2"), State.UNKNOWN, 2)
    assert ledger.verify() == []


def test_reading_beside_a_writer_that_has_written_nothing_yet(path: Path) -> None:
    make(path)
    writer = SqliteLedger.open(path)
    read_all(path)
    assert begin(writer, "run-2") == 2
    writer.close()
    reader = SqliteLedger.open_to_read(path)
    assert len(reader.runs()) == 2
    reader.close()


def test_a_reader_that_outlives_the_writer_loses_nothing(path: Path) -> None:
    writer = SqliteLedger.open(path)
    reader = SqliteLedger.open_to_read(path)
    put(writer, staged(writer, row(2, 1)), State.UNKNOWN, 1)
    writer.close()
    assert target(reader, 1).state is State.UNKNOWN
    reader.close()
    again = SqliteLedger.open(path)
    assert (target(again, 1).state, again.verify()) == (State.UNKNOWN, [])
    again.close()


def test_reading_what_a_killed_run_left_keeps_its_wal(path: Path, ledger: SqliteLedger) -> None:
    put(ledger, staged(ledger, row(2, 1)), State.SENDING, 1)
    (path.parent / "killed").mkdir()
    copy = kill(ledger, path.parent / "killed" / "ledger.db")
    before = fingerprint(copy.parent, without="-shm")
    assert read_all(copy) == read_all(path)
    assert fingerprint(copy.parent, without="-shm") == before


def test_a_reader_cannot_write(path: Path) -> None:
    make(path)
    reader = SqliteLedger.open_to_read(path)
    for write in (lambda: begin(reader), lambda: reader.bind("key", "value"), lambda: reader.recover(1, 1.0)):
        with pytest.raises(LedgerDiskError, match="attempt to write a readonly database"):
            write()
    reader.close()
