"""A correction file says by itself what was asked: no option that is given or left out then changes its rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.commands.report import report_run
from bulk_cancel.core.model import Answer, Appointment, Status, Target
from bulk_cancel.errors import Exit
from bulk_cancel.reports.summary import Summary
from support.office import Office
from support.plans import uuid
from support.scripted import cancelled, said

GUESTS = [uuid(100 + number) for number in range(2)]
TARGETS = {Target(uuid(number), guest) for number, guest in enumerate(GUESTS)}
USER = {"user_id": uuid(800)}
MAPPED = {"map": ["attendee_id=Gast", "reason=Grund"]}
#: What somebody may type with the file the second time.
OPTIONS: list[dict[str, Any]] = [
    {},
    MAPPED,
    {"cancel_all": True},
    {"reason": "Another reason"},
    {"user_id": uuid(900)},
    {**MAPPED, "reason": "Hello {Gast}", "show": ["Gast"]},
]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    environ = {"MEETERGO_TOKEN": "ak_live:0123456789abcdef"}
    office.played.machine = replace(office.played.machine, environ=environ)
    office.line.on_read = lambda target: shown(target, GUESTS)
    return office


def shown(target: Target, guests: Iterable[str]) -> Answer:
    return Answer(
        200, appointment=Appointment(target.appointment_id, is_cancelled=False, attendee_ids=frozenset(guests))
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refused(office: Office, header: str, *lines: str, **flags: Any) -> Path:
    """Run an input that the API refuses; return its failed.csv."""
    source = office.folder / "closure.csv"
    source.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    office.line.on_cancel = lambda _: said(422, "Not now")
    office.run(source, **USER, **flags)
    return office.folder / "out" / "failed.csv"


def asked_again(office: Office, file: Path, **flags: Any) -> tuple[Summary, list[Target]]:
    """Run a file into a folder of its own; return what was asked of the API."""
    asked: list[Target] = []

    def answer(target: Target) -> Answer:
        asked.append(target)
        return shown(target, set(GUESTS) - {target.attendee_id}) if target.attendee_id else cancelled(target)

    office.line.on_cancel = answer
    office.played.now += 3600.0  # the settle time of the refusals is over
    return office.run(file, out=str(office.folder / "again"), **{**USER, **flags}), asked


@pytest.mark.parametrize("options", OPTIONS)
def test_an_unchanged_row_is_the_same_question_whatever_is_typed(office: Office, options: dict[str, Any]) -> None:
    """It cancelled whole appointments where attendees had been listed, and gave no reason."""
    lines = [f"{uuid(number)},{guest},Dear guest,x" for number, guest in enumerate(GUESTS)]
    failed = refused(office, "appointment_id,Gast,Grund,note", *lines, **MAPPED)
    ended, asked = asked_again(office, failed, **options)
    assert (ended.exit_code, asked) == (Exit.REFUSED_ROWS, [])
    ended, asked = asked_again(office, failed, retry_refused=True, **options)
    assert (ended.exit_code, set(asked)) == (Exit.OK, TARGETS)
    assert {(row["mailed_reason"], row["note"]) for row in rows(office.folder / "again/results.csv")} == {
        ("Dear guest", "x")
    }


@pytest.mark.parametrize("options", OPTIONS)
def test_a_correction_file_has_what_the_options_said(office: Office, options: dict[str, Any]) -> None:
    flags = {"reason": '="Closed"', "cancel_all": True}
    failed = refused(office, "Appointment ID,attendee_id", f"{uuid(0)},", f"{uuid(1)},{GUESTS[1]}", **flags)
    known = [(row["cancel_all"], row["user_id"]) for row in rows(failed)]
    assert known == [("true", uuid(800)), ("false", uuid(800))]
    if "map" not in options:
        ended, asked = asked_again(office, failed, **{**options, "show": ()})
        assert (ended.exit_code, asked) == (Exit.REFUSED_ROWS, [])


def test_an_account_of_the_file_is_never_left_out(office: Office) -> None:
    """Without the accounts file the run's own credential would be used."""
    accounts = office.folder / "accounts.toml"
    accounts.write_text(f'[accounts.berlin]\ntoken_env = "MEETERGO_TOKEN"\nuser_id = "{uuid(801)}"\n')
    failed = refused(office, "appointment_id", uuid(0), accounts=accounts, account="berlin")
    assert [row["account"] for row in rows(failed)] == ["berlin"]
    ended, asked = asked_again(office, failed)
    assert (ended.exit_code, asked) == (Exit.REFUSED_ROWS, [])
    (row,) = rows(office.folder / "again" / "invalid.csv")
    assert "account is not in the accounts file" in row["bulk_cancel_detail"]


def test_a_column_with_the_name_of_a_field_that_was_not_read_as_it_is_renamed(office: Office) -> None:
    header = "Termin,attendee_id,Account,id,Gast"
    failed = refused(
        office, header, f"{uuid(0)},{uuid(7)},ACME,9,{GUESTS[0]}", map=["appointment_id=Termin", "attendee_id=Gast"]
    )
    (row,) = rows(failed)
    assert (row["appointment_id"], row["attendee_id"]) == (uuid(0), GUESTS[0])
    assert (row["attendee_id (input)"], row["Account (input)"], row["id"]) == (uuid(7), "ACME", "9")
    _, asked = asked_again(office, failed, retry_refused=True)
    assert asked == [Target(uuid(0), GUESTS[0])]


def test_an_invalid_row_has_what_the_person_wrote_and_what_the_options_add(office: Office) -> None:
    header = "Termin,Gast,Grund"
    refused(
        office,
        header,
        f"nobody,{GUESTS[0]},",
        "no-one,,Ill",
        map=["appointment_id=Termin", "attendee_id=Gast", "reason=Grund"],
        reason="Closed",
        cancel_all=True,
    )
    invalid = office.folder / "out" / "invalid.csv"
    wrote = [(row["appointment_id"], row["attendee_id"], row["reason"], row["cancel_all"]) for row in rows(invalid)]
    assert wrote == [("nobody", GUESTS[0], "Closed", ""), ("no-one", "", "Ill", "true")]
    invalid.write_text(invalid.read_text().replace("nobody", uuid(0), 1).replace("no-one", uuid(1), 1))
    ended, asked = asked_again(office, invalid)
    assert (ended.exit_code, set(asked)) == (Exit.OK, {Target(uuid(0), GUESTS[0]), Target(uuid(1))})
    assert [row["mailed_reason"] for row in rows(office.folder / "again" / "results.csv")] == ["Closed", "Ill"]


def test_a_reason_with_blanks_still_fills_in_a_row_that_was_never_sent(office: Office) -> None:
    flags = {"map": ["attendee_id=Gast"], "reason": "Guest {Gast}"}
    refused(office, "appointment_id,Gast", f"nobody,{GUESTS[0]}", **flags)
    invalid = office.folder / "out" / "invalid.csv"
    invalid.write_text(invalid.read_text().replace("nobody", uuid(0), 1))
    asked_again(office, invalid, **flags)
    (row,) = rows(office.folder / "again" / "results.csv")
    assert row["mailed_reason"] == f"Guest {GUESTS[0]}"


@pytest.mark.parametrize("options", [{"reason": "Closed"}, {"cancel_all": True}, {"reason": "At {start}"}])
def test_an_option_adds_nothing_to_a_row_that_was_asked(office: Office, options: dict[str, Any]) -> None:
    failed = refused(office, "appointment_id", uuid(0))
    ended, asked = asked_again(office, failed, timezone="UTC", **options)
    assert (ended.exit_code, asked) == (Exit.REFUSED_ROWS, [])


def test_a_report_of_an_older_run_counts_as_of_now(office: Office) -> None:
    """It said "Correct failed.csv (2 rows)" beside a failed.csv of one row."""
    failed = refused(office, "appointment_id", uuid(0), uuid(1))
    with office.setup().place.reading() as ledger:
        older = ledger.runs()[0].run_id
    other = office.folder / "other.csv"
    other.write_text(f"appointment_id,reason\n{uuid(0)},another\n")
    asked_again(office, other)
    report_run(office.setup().place, office.played.machine, older)
    told = json.loads((failed.parent / "summary.json").read_text())
    assert (len(rows(failed)), told["counts"]["rejected"], told["counts"]["cancelled"]) == (1, 1, 1)
    assert "failed.csv (1 row)" in told["next"]


def test_a_429_that_proves_nothing_is_not_counted_as_without_effect(office: Office) -> None:
    source = office.folder / "closure.csv"
    source.write_text(f"appointment_id\n{uuid(0)}\n")
    office.line.on_cancel = lambda _: Answer(429, message="a page")
    ended = office.run(source, **USER)
    assert ended.counts[Status.UNKNOWN] == 1
    assert ended.requests is not None
    assert ended.requests.throttled == 0
