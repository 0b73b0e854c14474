"""What `show` prints of a plan file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_cancel.access.machine import Machine
from bulk_cancel.cli import show as showing
from bulk_cancel.cli.ledger import export_command
from bulk_cancel.cli.show import show_command
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.engine.clock import Clock
from bulk_cancel.errors import ConfigError, PlanError, UsageError
from bulk_cancel.plan_files import PlanFile
from support.plans import ABOUT, DAY, NOW, line, seen, uuid, write_plan


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moment at which it is shown."""
    moment = [NOW + 3600]
    machine = Machine({}, clock=Clock(lambda: moment[0], TimeBase(None, 0.0)))
    monkeypatch.setattr(showing, "this_machine", lambda: machine)
    monkeypatch.setenv("COLUMNS", "120")
    return moment


def test_show_prints_what_the_plan_is(plan: PlanFile, capsys: pytest.CaptureFixture[str]) -> None:
    show_command(str(plan.path), None, json=False)
    shown = capsys.readouterr().out
    for expected in (
        "12 rows",
        "whole     yes",
        f"digest    {plan.digest}",
        "made      2026-11-22 23:00 CET",
        "expires   2026-11-23 23:00 CET, in 23 h",
        "closure.csv, sha256 abab",
        "To cancel (4)",
        "Left out by a rule: nothing is sent (1)",
        "Invalid: nothing is sent (1)",
        uuid(2),
        f"attendee {uuid(900)} only",
        "the whole series",
        "starts 2026-12-01 10:00 CET",
        "it started on 2026-11-20 10:00 UTC: past",
    ):
        assert " ".join(expected.split()) in " ".join(shown.split()), expected


def test_another_zone_may_be_asked_for(plan: PlanFile, capsys: pytest.CaptureFixture[str]) -> None:
    show_command(str(plan.path), "America/New_York", json=False)
    shown = capsys.readouterr().out
    assert "expires  2026-11-23 17:00 EST, in 23 h" in shown
    assert "starts 2026-12-01 04:00 EST" in shown
    with pytest.raises(ConfigError, match='"Mars" is not a time zone'):
        show_command(str(plan.path), "Mars", json=False)


def test_show_says_that_a_plan_has_expired(plan: PlanFile, capsys: pytest.CaptureFixture[str], at: list[float]) -> None:
    at[0] = NOW + DAY
    show_command(str(plan.path), None, json=False)
    assert "2026-11-23 23:00 CET: it has expired, and a run refuses it" in capsys.readouterr().out
    show_command(str(plan.path), None, json=True)
    assert json.loads(capsys.readouterr().out)["expired"] is True


def test_json_is_the_header_and_the_digest(plan: PlanFile, capsys: pytest.CaptureFixture[str]) -> None:
    show_command(str(plan.path), None, json=True)
    document = json.loads(capsys.readouterr().out)
    header = document.pop("header")
    assert document == {
        "schema_version": 1,
        "path": str(plan.path),
        "whole": True,
        "expired": False,
        "digest": plan.digest,
    }
    assert header == json.loads(plan.path.read_text("ascii").splitlines()[0])


def test_a_damaged_plan_is_not_shown(plan: PlanFile, capsys: pytest.CaptureFixture[str]) -> None:
    plan.path.write_bytes(plan.path.read_bytes()[:-90])
    with pytest.raises(PlanError, match="damaged"):
        show_command(str(plan.path), None, json=False)
    assert capsys.readouterr().out == ""


def test_only_the_first_lines_are_shown_and_no_text_acts(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reason = "[bold]Closed[/] write to office@example.org"
    write_plan(path, ABOUT, [line(row, why="[/x] to do", reason=reason) for row in range(2, 30)])
    show_command(str(path), None, json=False)
    shown = capsys.readouterr().out
    assert "To cancel (28, the first 10)" in shown
    assert uuid(11) in shown
    assert uuid(12) not in shown
    assert f"{path.name} is a text file with a line for each row." in " ".join(shown.split())
    assert "plan with --out FOLDER: FOLDER/plan.html" in " ".join(shown.split())
    assert "\x1b" not in shown
    assert "[bold]Closed[/]" in shown
    assert "[/x] to do" in shown


def test_people_series_groups_and_reasons_are_told_as_the_plan_told_them(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """People approve by what is shown."""
    group = replace(line(2, cancel_all=True, reason_given=True), seen=seen(2, group_booking=True))
    unread = replace(line(4, reason=None, cancel_all=True), seen=None)
    about = replace(ABOUT, mailed=7, mailed_again=2, paid=1)
    write_plan(path, about, [group, line(3, entire_series=True), unread])
    show_command(str(path), None, json=False)
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        "1 of them was not read for the plan.",
        "7 people get a mail, 2 of them more than one. 1 appointment is paid, 2 hosts are concerned.",
        "This makes at most 3 cancellations, 1 of a whole series, 1 for everyone in a group, "
        "1 for everyone if it is a group (not read), each with a mail",
        "It cannot be undone.",
        "1 mail has the reason that the job or --reason gives.",
        "1 mail gives no reason.",
        "everyone in the group; given reason: Closed",
        "everyone, if it is a group; no reason",
    ):
        assert said in shown, said
    assert shown.count("everyone in the group") == 1
    assert "text file" not in shown


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_an_export_over_the_ledger_itself_is_refused(suffix: str, tmp_path: Path) -> None:
    ledger, file = tmp_path / "l.db", tmp_path / f"l.db{suffix}"
    file.write_bytes(b"its history")
    with pytest.raises(UsageError, match="is the ledger itself"):
        export_command(str(file), str(ledger))
    assert file.read_bytes() == b"its history"
