"""A row whose reason cannot be filled in names no target for others: the next fit row of its target is sent."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bulk_cancel.cli.render import show_plan
from bulk_cancel.cli.show import show_command
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.commands.plan import plan_job
from bulk_cancel.commands.run import run_job
from bulk_cancel.core.actions import Action
from bulk_cancel.core.plan import Plan
from bulk_cancel.inputs import read_columns, read_rows
from support.office import Office
from support.plans import uuid
from support.scripted import NO_ANSWER, active, cancelled

REASON = "Am {day:%d.%m.}"
FLAWED = (
    f"{uuid(1)},,01.12.2026",  # row 2: unfit
    f"{uuid(1)},Water damage,01.12.2026",
    f"{uuid(1)},Fire,2026-12-01",  # row 4: would have been the next
    f"{uuid(2)},Water damage,01.12.2026",
    f"{uuid(2)},,01.12.2026",  # row 6: unfit, but not sent
    f"{uuid(3)},,01.12.2026",  # rows 7 and 8: unfit
    f"{uuid(3)},,",
    f"{uuid(3)},,2026-12-24",
    "nobody,,2026-12-24",
    f"{uuid(4)},,2026-12-24",
    f"{uuid(5)},,01.12.2026",  # rows 12 and 13: all of a target are unfit
    f"{uuid(5)},,01.12.2026",
    f"{uuid(1)},Fire,2026-12-01",
)
SENT = {3: "Water damage", 5: "Water damage", 9: "Am 24.12.", 11: "Am 24.12."}
UNFIT = (2, 7, 8, 10, 12, 13)
SAME = {4: 3, 6: 5, 14: 3}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def write(office: Office, *rows: str) -> Path:
    source = office.folder / "a.csv"
    source.write_text("\n".join(("id,reason,day", *rows)) + "\n", encoding="utf-8")
    return source


def details(office: Office) -> dict[int, tuple[str, str]]:
    with (office.folder / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return {int(line["row"]): (line["status"], line["detail"]) for line in csv.DictReader(file)}


@pytest.mark.parametrize("chunk", [1, 2, 3, 50_000])
@pytest.mark.parametrize("look", ["never", "each"])
@pytest.mark.parametrize("is_first", [True, False], ids=["first input", "later input"])
@pytest.mark.parametrize("from_plan", [False, True], ids=["direct", "of a plan"])
def test_the_first_fit_row_of_a_target_is_sent_as_the_plan_says(
    office: Office, chunk: int, look: str, is_first: bool, from_plan: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulk_cancel.planning.reason_templates.read_columns", partial(read_columns, chunk=chunk))
    if not is_first:
        office.run(write(office, f"{uuid(9)},Fire,"))
    source = write(office, *FLAWED)
    plan_file = office.folder / "a.plan"
    plan = plan_job(office.job(source, reason=REASON, look=look, plan_file=str(plan_file)), office.played.caller)
    assert plan.actions == {Action.CANCEL: 4, Action.SAME: 3, Action.INVALID: 6}
    assert {line.row.row: line.row.reason for line in plan.first} == SENT
    assert [(line.row.row, line.row.appointment_id) for line in plan.invalid] == [(row, None) for row in UNFIT]

    ran = office.run(plan_file) if from_plan else office.run(source, reason=REASON)
    assert (ran.counts["cancelled"], ran.counts["invalid"], ran.targets) == (7, 6, 4)
    assert [id_ for _, id_ in office.line.posts][-4:] == [uuid(number) for number in (1, 2, 3, 4)]
    told = details(office)
    assert {row for row, (status, _) in told.items() if status == "invalid"} == {*UNFIT}
    assert {row: detail for row, (_, detail) in told.items() if "same target" in detail} == {
        row: f"same target as row {first}" for row, first in SAME.items()
    }


@pytest.mark.parametrize("chunk", [1, 50_000])
@pytest.mark.parametrize("reason", ["Closed", REASON], ids=["plain", "with a blank"])
def test_a_reason_that_is_not_mailed_is_told_wherever_the_plan_is(
    office: Office, chunk: int, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for read in (read_columns, read_rows):
        where = f"bulk_cancel.planning.reason_templates.{read.__name__}"
        monkeypatch.setattr(where, partial(read, chunk=chunk))  # type: ignore[operator]
    source = write(
        office,
        f"{uuid(1)},Fire,2026-12-01",
        f"{uuid(1)},Fire,2026-12-02",
        f"{uuid(1)},Flood,2026-12-02",
        f"{uuid(2)},,2026-12-01",
        f"{uuid(2)},,2026-12-01",
        f"{uuid(1)},,2026-12-01",
        f"{uuid(3)},,",
        f"{uuid(3)},Fire,2026-12-01",
        f"{uuid(3)},Flood,2026-12-01",
        f"{uuid(3)},Fire,2026-12-01",
    )
    others = "(rows 4, 7, 10)" if reason == REASON else "(rows 4, 7, 9, 10, 11)"
    told = f"rows name a target again with another reason, which is not mailed {others}."
    out, plan_file = office.folder / "out", office.folder / "a.plan"
    plan = plan_job(office.job(source, reason=reason, plan_file=str(plan_file)), office.played.caller)
    assert any(told in note for note in plan.notes)
    show_plan(Terminal(), plan, "a.csv")
    show_command(str(plan_file), None, json=False)
    assert " ".join(capsys.readouterr().out.split()).count(told) == 2
    assert told in " ".join(json.loads((out / "plan.json").read_text())["notes"])
    page = (out / "plan.html").read_text(encoding="utf-8")
    assert told in page
    assert "(not mailed) Flood" in page
    assert "same target as row 2, with another reason: not mailed" in (out / "plan.csv").read_text(encoding="utf-8")
    asked: list[Plan] = []
    caller = replace(office.played.caller, approve=lambda plan: not asked.append(plan))
    run_job(office.job(plan_file), caller)
    assert any(told in note for note in asked[0].notes)


def test_a_target_that_is_settled_needs_no_fit_row(office: Office) -> None:
    office.run(write(office, f"{uuid(1)},Fire,"))
    source = write(office, *FLAWED[:3])
    plan = plan_job(office.job(source, reason=REASON), office.played.caller)
    assert plan.actions == {Action.NOTHING: 1, Action.SAME: 2}
    assert office.run(source, reason=REASON).counts == {"cancelled": 3}


@pytest.mark.parametrize("own", ["Fire", ""])
def test_after_an_unanswered_cancel_nothing_is_mailed_without_its_reason(office: Office, own: str) -> None:
    """A row that is looked up first may be sent: its reason is needed, too."""
    office.line.on_read, office.line.on_cancel = active, lambda _: NO_ANSWER
    office.run(write(office, f"{uuid(1)},,2026-12-01"), reason=REASON)
    office.line.on_cancel = cancelled
    office.played.now += 3600.0  # the settle time is over
    source = write(office, f"{uuid(1)},,01.12.2026", f"{uuid(1)},{own},01.12.2026")
    plan = plan_job(office.job(source, reason=REASON), office.played.caller)
    assert plan.actions == ({Action.INVALID: 1, Action.READ_FIRST: 1} if own else {Action.INVALID: 2})
    ran = office.run(source, reason=REASON)
    assert ran.counts == ({"invalid": 1, "cancelled": 1} if own else {"invalid": 2})
    assert len(office.line.posts) == (2 if own else 1)
    if not own:
        assert "1 target of earlier inputs is still to be sent" in ran.next


def test_the_row_that_takes_over_is_read_as_any_other(office: Office) -> None:
    office.line.posts.append((0.0, uuid(1)))
    plan = plan_job(office.job(write(office, *FLAWED[:5]), reason=REASON, look="each"), office.played.caller)
    assert plan.actions == {Action.ALREADY_CANCELLED: 1, Action.SAME: 3, Action.CANCEL: 1}
    assert [line.row.row for line in plan.left_out] == [2], "what is not sent needs no reason"


@pytest.mark.parametrize("chunk", [1, 50_000])
def test_a_reason_that_a_reading_does_not_fill_in_does_not_keep_the_next_row(
    office: Office, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulk_cancel.planning.reason_templates.read_columns", partial(read_columns, chunk=chunk))
    source = write(office, f"{uuid(1)},,", f"{uuid(1)},Water damage,", f"{uuid(2)},,")
    asked = {"reason": "Closed: {location}", "look": "each"}
    plan = plan_job(office.job(source, **asked), office.played.caller)
    assert [(line.row.row, line.row.reason) for line in plan.first] == [(3, "Water damage")]
    assert plan.actions == {Action.CANCEL: 1, Action.INVALID: 2}
    assert office.run(source, **asked).counts == {"cancelled": 1, "invalid": 2}
