"""The rebooking list of a run whose folder of results is removed while it works."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_cancel.core.model import Answer, Contact, Target
from bulk_cancel.errors import Exit
from support.office import Office
from support.plans import uuid
from support.scripted import cancelled


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Somebody whose appointments each have one attendee, and whose API answers a cancel with the appointment."""
    return Office(tmp_path)


def removing(office: Office, number: int, put: str = "") -> None:
    """Remove the folder of results when the cancel of an appointment arrives; `put` a file in the list's place."""
    out = office.folder / "out"

    def cancel(target: Target) -> Answer:
        if target.appointment_id == uuid(number):
            shutil.rmtree(out)
            if put:
                out.mkdir()
                (out / "rebooking.csv").write_text(put, encoding="utf-8")
        answer = cancelled(target)
        assert answer.appointment is not None
        contact = Contact("", name="Ada", email=f"{target.appointment_id}@example.org", phone="")
        return replace(answer, appointment=replace(answer.appointment, contacts=(contact,)))

    office.line.on_cancel = cancel


def listed(office: Office) -> list[str]:
    with (office.folder / "out" / "rebooking.csv").open(encoding="utf-8", newline="") as file:
        return sorted(row["appointment_id"] for row in csv.DictReader(file))


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_removed_rebooking_list_is_made_again_with_every_row(office: Office, number: int) -> None:
    removing(office, number)
    assert office.run(office.write(5), rebooking_list=True).exit_code == Exit.OK
    assert listed(office) == [uuid(each) for each in range(5)]


def test_rows_are_added_to_a_file_that_replaced_the_rebooking_list(office: Office) -> None:
    removing(office, 3, put="appointment_id,start\nmine,now\n")
    assert office.run(office.write(5), rebooking_list=True, concurrency=1).exit_code == Exit.OK
    assert listed(office) == [*(uuid(each) for each in range(5)), "mine"]


def test_a_list_that_cannot_be_made_again_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is a file by then."""
    source, out = office.write(1), office.folder / "out"
    removing(office, 0)
    cancel = office.line.on_cancel

    def place_is_taken(target: Target) -> Answer:
        answer = cancel(target)
        out.mkdir()
        (out / "rebooking.csv").symlink_to(source)
        return replace(answer, appointment=replace(answer.appointment, contacts=()))  # type: ignore[type-var]

    office.line.on_cancel = place_is_taken
    ended = office.run(source, rebooking_list=True)
    assert ended.exit_code == Exit.DISK
    assert "The list of people to call is lost: `bulk-cancel find`" in ended.next
    assert office.line.posts
