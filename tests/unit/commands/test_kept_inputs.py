"""The input that a run keeps is its own: no run's statuses are ever written beside the rows of another one."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_cancel.access.setup import set_up
from bulk_cancel.commands.plan import plan_job
from bulk_cancel.commands.report import Reported, ReportWish, report_run
from bulk_cancel.commands.run import prepare, run_job
from bulk_cancel.core.model import Status
from bulk_cancel.errors import LockedError, UsageError
from bulk_cancel.reports.summary import Summary
from support.office import Office
from support.plans import uuid
from support.played import LOG

MONDAY, TUESDAY = {uuid(1): "Ada", uuid(2): "Bob"}, {uuid(4): "Cyd", uuid(5): "Dan"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def write(office: Office, name: str, people: dict[str, str]) -> Path:
    source = office.folder / name
    source.write_text("id,who\n" + "".join(f"{one},{who}\n" for one, who in people.items()), encoding="utf-8")
    return source


def run(office: Office, name: str, people: dict[str, str], **flags: object) -> Summary:
    return office.run(write(office, name, people), **flags)


def report(office: Office, run_id: str, out: str = "again") -> Reported:
    return report_run(office.setup().place, office.played.machine, run_id, ReportWish(office.folder / out))


def files(office: Office, folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (office.folder / folder).glob("[!.]*") if path.is_file()}


def results(office: Office, folder: str) -> list[dict[str, str]]:
    return [*csv.DictReader((office.folder / folder / "results.csv").read_text(encoding="utf-8").splitlines())]


@pytest.mark.parametrize("ledger", ["", "other.db"])
def test_a_run_of_another_input_into_a_folder_keeps_what_is_there(office: Office, ledger: str) -> None:
    """As a job with a fixed folder does, whose input is another one each day."""
    elsewhere = {"ledger": str(office.folder / ledger)} if ledger else {}
    first = run(office, "monday.csv", MONDAY, rebooking_list=True)
    before = files(office, "out")
    assert {"results.csv", "summary.json", "report.html", "rebooking.csv"} <= before.keys()
    second = run(office, "tuesday.csv", TUESDAY, **elsewhere)
    assert files(office, f"out/earlier/{first.run_id}") == {k: v for k, v in before.items() if k != "rebooking.csv"}
    assert files(office, "out")["rebooking.csv"] == before["rebooking.csv"], "it grows over the runs"
    assert {row["id"]: row["who"] for row in results(office, "out")} == TUESDAY
    place, machine = office.setup().place, office.played.machine
    done = report_run(place, machine, first.run_id, ReportWish())
    assert (done.missing, done.out) == ("", office.folder / "out" / "earlier" / first.run_id)
    assert {row["id"]: row["who"] for row in results(office, f"out/earlier/{first.run_id}")} == MONDAY
    assert {row["id"]: row["who"] for row in results(office, "out")} == TUESDAY
    assert [path.name for path in (office.folder / "out").glob("input*")] == [f"input-{second.run_id}.parquet"]


def test_a_rerun_of_the_same_input_or_plan_replaces_its_own_results(office: Office) -> None:
    for _ in range(2):
        run(office, "monday.csv", MONDAY)
    plan_job(
        office.job(office.folder / "monday.csv", plan_file=office.folder / "a.plan", out=None), office.played.caller
    )
    for _ in range(2):
        office.run(office.folder / "a.plan", out=str(office.folder / "of-the-plan"))
    assert not [*office.folder.glob("*/earlier")]


def test_a_plan_into_the_folder_of_a_run_touches_no_file_of_it(office: Office) -> None:
    run(office, "monday.csv", MONDAY)
    before = files(office, "out")
    plan_job(office.job(write(office, "tuesday.csv", TUESDAY)), office.played.caller)
    after = files(office, "out")
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"plan.csv", "plan.parquet", "plan.json", "plan.html"}


def test_what_a_killed_run_left_hidden_is_removed_by_the_next_run(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr("bulk_cancel.commands.run.shutil.rmtree", lambda *_, **__: None)
        with prepare(
            set_up(office.job(write(office, "monday.csv", MONDAY)), LOG, office.played.machine), lambda _: True
        ):
            pass
    assert [*(office.folder / "out").glob(".2*")]
    run(office, "monday.csv", MONDAY)
    assert not [*(office.folder / "out").glob(".2*")]


def test_a_run_that_is_killed_before_it_takes_its_folder_is_not_reported_with_the_rows_there(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("bulk_cancel.commands.run._adopt", killed)
        with pytest.raises(KeyboardInterrupt):
            run(office, "tuesday.csv", TUESDAY)
    with office.setup().place.reading() as ledger:
        dead = ledger.runs()[0].run_id
    run(office, "monday.csv", MONDAY)
    report(office, dead)
    assert {row["appointment_id"]: row["status"] for row in results(office, "again")} == dict.fromkeys(
        TUESDAY, "pending"
    )


def test_a_second_run_into_a_folder_where_one_is_at_work_is_refused_before_it_sends(office: Office) -> None:
    other = str(office.folder / "other.db")
    setup = set_up(office.job(write(office, "monday.csv", MONDAY)), LOG, office.played.machine)
    machine = replace(office.played.machine, environ={"MEETERGO_TOKEN": "rgo-fedcba9876543210"})
    second = office.job(write(office, "tuesday.csv", TUESDAY), ledger=other)
    with prepare(setup, lambda _: True), pytest.raises(LockedError, match="the folder of results") as caught:
        run_job(second, replace(office.played.caller, machine=machine))
    assert "Nothing was sent" in caught.value.advice
    assert not office.line.posts
    assert run(office, "tuesday.csv", TUESDAY, ledger=other).counts[Status.CANCELLED] == 2


def test_the_results_of_another_ledgers_run_are_not_replaced_by_a_report(office: Office) -> None:
    first = run(office, "monday.csv", MONDAY)
    (office.folder / "out" / "summary.json").unlink()
    second = run(office, "tuesday.csv", TUESDAY, ledger=str(office.folder / "other.db"))
    with pytest.raises(UsageError, match=f"holds the results of the run {second.run_id}"):
        report(office, first.run_id, "out")
    report(office, first.run_id)
