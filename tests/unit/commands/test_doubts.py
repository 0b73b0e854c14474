"""A plan says what is hardly meant: blanks that nothing fills in, a column that holds no appointment ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.commands.plan import plan_job
from bulk_cancel.core.model import Target
from support.office import Office
from support.plans import uuid
from support.scripted import said


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def notes(office: Office, header: str, *rows: str, **flags: object) -> str:
    source = office.folder / "a.csv"
    source.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return " ".join(plan_job(office.job(source, out=None, **flags), office.played.caller).notes)


def test_blanks_in_a_rows_own_reason_are_told_before_they_are_mailed(office: Office) -> None:
    rows = (f"{uuid(0)},Closed {{Datum:%d.%m.%Y}}.", f"{uuid(1)},Closed.", f"{uuid(2)},")
    told = notes(office, "id,reason", *rows, reason="At {id}.")
    assert "1 reason of the input holds {…}: it is mailed as it stands. Blanks are filled in" in told
    assert "…" not in notes(office, "id,reason", *rows[1:], reason="At {id}.")


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ([uuid(0)] * 8, "7 of 8 rows name a target that an earlier row names"),
        (["Ada"] * 7 + [uuid(0)], "7 of 8 rows are invalid"),
    ],
)
def test_a_column_without_appointment_ids_is_questioned(office: Office, cells: list[str], what: str) -> None:
    told = notes(office, "type,other", *(f"{cell},x" for cell in cells), map=["appointment_id=type"])
    assert f"{what}: is the column type the right one? (--map appointment_id=COLUMN)" in told


def test_a_plan_of_mostly_unknown_ids_is_questioned(office: Office) -> None:
    office.line.on_read = lambda target: said(404) if target != Target(uuid(0)) else office.truth(target)
    told = notes(office, "id", *map(uuid, range(8)), look="each")
    assert "7 of 8 rows are not found: is the column of the appointment ids the right one?" in told


def test_the_usual_troubles_of_an_input_are_not_asked_about(office: Office) -> None:
    assert not notes(office, "id", *map(uuid, range(8)), uuid(0), "nobody")


def test_a_run_of_mostly_invalid_rows_asks_at_its_end_too(office: Office) -> None:
    source = office.folder / "a.csv"
    source.write_text("id\n" + "Ada\n" * 8 + f"{uuid(0)}\n", encoding="utf-8")
    assert "Most rows are invalid: is the column of the appointment ids the right one?" in office.run(source).next
