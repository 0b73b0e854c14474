"""A run whose input has no rows, or no longer those that it had, looks up what its earlier runs left unknown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulk_cancel.core.model import Appointment
from bulk_cancel.errors import Exit, InputMissingError, LedgerError, NoRowsError
from support.office import Office
from support.plans import uuid
from support.scripted import NO_ANSWER, active, cancelled, said

_DAY = "2027-01-16"
_SELECT = f'[select]\nfrom = {_DAY}\nto = {_DAY}\ntimezone = "UTC"\n'


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Somebody whose API gives no answer to the cancel of appointment 1."""
    office = Office(tmp_path)
    office.line.on_cancel = lambda target: NO_ANSWER if target.appointment_id == uuid(1) else cancelled(target)
    return office


def applies_late(office: Office, number: int = 1) -> None:
    office.line.on_read = lambda target: (cancelled if target.appointment_id == uuid(number) else office.truth)(target)


def finds(office: Office, *numbers: int) -> None:
    office.line.listed = [Appointment(uuid(number), False, start=f"{_DAY}T09:00:00Z") for number in numbers]


def search(office: Office, *lines: str) -> Path:
    file = office.folder / "day.toml"
    file.write_text("".join(f"{line}\n" for line in lines) + _SELECT, encoding="utf-8")
    return file


@pytest.mark.parametrize("lines", [(), ('missing_input = "ok"',)])
def test_a_search_that_finds_nothing_any_more_looks_up_what_is_unknown(office: Office, lines: tuple[str, ...]) -> None:
    job, posts = search(office, *lines), office.line.posts
    finds(office, 1, 2)
    office.line.on_read = active
    assert office.run(job).exit_code == Exit.UNKNOWN
    finds(office)
    again = office.run(job)
    assert again.exit_code == Exit.UNKNOWN
    assert again.next.startswith("No row to cancel: the search found no appointment. 1 row has no known outcome")
    applies_late(office)
    ended = office.run(job)
    assert ended.exit_code == Exit.OK
    assert ended.next == "No row to cancel: the search found no appointment. Done: nothing is left to do."
    assert office.status().startswith("Done: nothing is left to do.\n")
    assert len(posts) == 2
    if not lines:
        with pytest.raises(NoRowsError):
            office.run(job)


def test_a_file_per_day_looks_up_what_last_night_left_unknown(office: Office) -> None:
    first = office.write(3)
    office.line.on_read = active
    assert office.run(first).exit_code == Exit.UNKNOWN
    tonight = office.folder / "tonight.csv"
    with pytest.raises(InputMissingError):
        office.run(tonight)
    told = office.run(tonight, missing_input="ok")
    assert told.exit_code == Exit.UNKNOWN
    assert "tonight.csv does not exist. 1 row has no known outcome" in told.next
    tonight.write_text("id\n", encoding="utf-8")
    applies_late(office)
    assert office.run(tonight, missing_input="ok").exit_code == Exit.OK
    assert len(office.line.posts) == 3


def test_a_night_without_a_file_after_which_only_a_person_can_decide(office: Office) -> None:
    office.line.on_read = lambda target: said(404) if target.appointment_id == uuid(1) else office.truth(target)
    office.run(office.write(3))
    office.played.now += 700.0
    told = office.run(office.folder / "tonight.csv", missing_input="ok")
    assert told.exit_code == Exit.REFUSED_ROWS
    assert "bulk-cancel resolve --ledger" in told.next


def test_a_row_that_was_not_applied_and_that_the_search_names_no_more_is_sent_from_the_file_that_is_named(
    office: Office,
) -> None:
    job = search(office, 'missing_input = "ok"')
    finds(office, 1, 2)
    office.line.on_read = active
    assert office.run(job).exit_code == Exit.UNKNOWN
    finds(office)
    office.played.now += 700.0
    told = office.run(job)
    assert told.exit_code == Exit.STOPPED
    assert "1 cancel was not applied and may be sent again" in told.next
    for said_so in (told.next, office.status()):
        named = re.search(r"`bulk-cancel report (\S+) --out (\S+) --ledger \S+` writes (\S+), which", said_so)
        assert named is not None, said_so
        assert "0 rows" not in said_so
    assert office.run(job).exit_code == Exit.STOPPED, "until a person has run it"
    office.report_into(named[1], office.folder / named[2])
    office.line.on_cancel, office.line.on_read = cancelled, office.truth
    assert office.run(office.folder / named[3], out=str(office.folder / "rest")).exit_code == Exit.OK
    assert office.run(job).next == "Nothing to do: the search found no appointment."


def test_a_search_that_finds_others_does_not_end_well_while_its_earlier_row_is_unknown(office: Office) -> None:
    job = search(office)
    finds(office, 1, 2)
    office.line.on_read = active
    office.run(job)
    unknown = office.folder / "out" / "unknown.csv"
    before = unknown.read_text(encoding="utf-8")
    finds(office, 3)
    other = office.run(job)
    assert other.exit_code == Exit.UNKNOWN
    assert "of this input is left to do" in other.next
    assert re.search(r"To look them up after \S+ \S+( UTC)?, type: bulk-cancel reconcile --ledger", other.next)
    (kept,) = (office.folder / "out" / "earlier").glob("*/unknown.csv")
    assert kept.read_text(encoding="utf-8") == before
    applies_late(office)
    finds(office, 4)
    assert office.run(job).exit_code == Exit.OK
    assert not unknown.exists()


def test_rows_that_last_night_did_not_reach_are_named_on_a_night_without_a_file(office: Office) -> None:
    first = office.run(office.write(6), rate="1/min", burst=1, max_duration="70s")
    assert first.exit_code == Exit.STOPPED
    told = office.run(office.folder / "tonight.csv", missing_input="ok")
    assert "still to be sent: `bulk-cancel status" in told.next


def test_a_ledger_of_workers_is_not_read_with_credentials_that_only_they_have(office: Office) -> None:
    office.line.on_read = active
    office.run(office.write(3))
    reads = len(office.line.reads)
    told = office.run(office.folder / "tonight.csv", missing_input="ok", engine="dbos")
    assert told.exit_code == Exit.UNKNOWN
    assert "type: bulk-cancel reconcile --ledger" in told.next
    assert len(office.line.reads) == reads


def test_nothing_to_do_is_not_said_over_a_ledger_that_is_lost(office: Office) -> None:
    """It knew of a cancel without an outcome."""
    job = search(office)
    finds(office, 1)
    office.line.on_read = active
    assert office.run(job).exit_code == Exit.UNKNOWN
    finds(office)
    place = Path(str(office.setup().place))
    for file in place.parent.glob(f"{place.name}*"):
        file.unlink()
    with pytest.raises(LedgerError, match="is gone: this machine has seen"):
        office.run(job)
