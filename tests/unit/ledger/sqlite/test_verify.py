"""`verify` finds every edit of the past, and nothing in a good ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.core.provenance import Provenance
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import AT, BASE
from support.ledger_files import make, raw

LAW = ("events_stay", "events_remain", "targets_remain", "targets_obey", "targets_begin")


def findings(path: Path) -> list[str]:
    ledger = SqliteLedger.open_to_read(path)
    try:
        return ledger.verify()
    finally:
        ledger.close()


def test_a_good_ledger_has_nothing_to_find(path: Path) -> None:
    make(path)
    assert findings(path) == []


SWAP = """
UPDATE events SET event_id = -1 WHERE event_id = 3;
UPDATE events SET event_id = 3 WHERE event_id = 4;
UPDATE events SET event_id = 4 WHERE event_id = -1
"""

EDITS = {
    "an edited time": ("UPDATE events SET at = at + 1 WHERE event_id = 5", "was changed"),
    "an edited detail": ("UPDATE events SET detail = 'mine' WHERE event_id = 5", "was changed"),
    "an edited status": ("UPDATE events SET http_status = 200 WHERE event_id = 5", "was changed"),
    "an event moved to another target": ("UPDATE events SET target_id = 1 WHERE event_id = 5", "was changed"),
    "an event moved to another run": ("UPDATE events SET run_no = 9 WHERE event_id = 5", "was changed"),
    "an event of no kind": ("UPDATE events SET event = 'x' WHERE event_id = 5", "is impossible"),
    "a removed event": ("DELETE FROM events WHERE event_id = 5", "was changed"),
    "the newest event removed": ("DELETE FROM events WHERE event_id = (SELECT max(event_id) FROM events)", "changed"),
    "an event slipped in": (
        "INSERT INTO events (event_id, target_id, run_no, event, attempt_no, at) VALUES (0, 1, 1, 'skipped', 0, 1)",
        "history says skipped",
    ),
    "an event added at the end": (
        "INSERT INTO events (target_id, run_no, event, attempt_no, at) VALUES (1, 1, 'skipped', 0, 1)",
        "no seal covers",
    ),
    "swapped order": (SWAP, "was changed"),
    "an edited seal": ("UPDATE seals SET digest = '0' WHERE last_event_id = 5", "was changed"),
    "a removed seal": ("DELETE FROM seals WHERE last_event_id = (SELECT max(last_event_id) FROM seals)", "no seal"),
    "an edited state": ("UPDATE targets SET state = 'pending' WHERE state = 'cancelled'", "marked pending"),
    "a state of no kind": ("UPDATE targets SET state = 'x' WHERE state = 'cancelled'", "marked x"),
    "fewer attempts": ("UPDATE targets SET attempts = 0 WHERE state = 'cancelled'", "0 attempts"),
    "more attempts": ("UPDATE targets SET attempts = 2 WHERE state = 'cancelled'", "2 attempts"),
    "another appointment": ("UPDATE targets SET appointment_id = 'x' WHERE state = 'cancelled'", "was changed"),
    "another attendee": ("UPDATE targets SET attendee_id = 'x' WHERE state = 'cancelled'", "was changed"),
    "another reach": ("UPDATE targets SET entire_series = 1 WHERE state = 'cancelled'", "was changed"),
    "a removed target": ("DELETE FROM targets WHERE state = 'cancelled'", "was changed"),
}


@pytest.mark.parametrize(("edit", "finding"), EDITS.values(), ids=EDITS)
def test_an_edit_is_found(path: Path, edit: str, finding: str) -> None:
    make(path)
    with raw(path, *LAW) as connection:
        connection.execute(edit)
    assert finding in " ".join(findings(path))


def test_damaged_pages_are_all_that_is_said_of_a_damaged_file(path: Path) -> None:
    make(path)
    with raw(path) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events_of_target'")
    with path.open("r+b") as file:
        file.seek((int(page) - 1) * 4096 + 4000)
        file.write(bytes(96))
    assert findings(path)
    assert all(line.startswith("SQLite finds the file damaged") for line in findings(path))


BEGINNINGS = {
    "another ticket": 'UPDATE runs SET provenance = \'{"ticket": "other"}\' WHERE run_no = 1',
    "another start": "UPDATE runs SET started_at = started_at - 3600 WHERE run_no = 1",
    "another input": "UPDATE runs SET input_digest = 'x' WHERE run_no = 1",
    "a run slipped in": (
        "INSERT INTO runs (run_id, status, started_at, mono_offset, settle_s) VALUES ('x', 'ended', 1, 0, 600)"
    ),
    "the seal removed": "DELETE FROM seals WHERE run_no = 1",
}


@pytest.mark.parametrize("edit", BEGINNINGS.values(), ids=BEGINNINGS)
def test_an_edit_of_who_began_a_run_is_found(path: Path, edit: str) -> None:
    make(path)
    with raw(path, *LAW) as connection:
        connection.execute(edit)
    assert "The beginning of run number" in " ".join(findings(path))


def test_the_end_of_a_run_leaves_its_beginning_whole(path: Path) -> None:
    make(path)
    ledger = SqliteLedger.open(path)
    run_no = ledger.begin_run(RunStart("late", AT, BASE, provenance=Provenance(ticket="OPS-7")))
    ledger.start_run(run_no)
    ledger.end_run(run_no, AT + 1, "{}")
    ledger.close()
    assert findings(path) == []
