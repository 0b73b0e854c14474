"""What a person reads before the question, and after the run."""

from __future__ import annotations

from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from bulk_cancel.cli.render import show_plan, show_summary
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import Status
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import Place, Plan, make_plan
from bulk_cancel.core.states import State
from bulk_cancel.errors import Exit
from bulk_cancel.reports.pages.run_page import REPORT_HTML
from bulk_cancel.reports.rebooking import REBOOKING
from bulk_cancel.reports.records import FILES
from bulk_cancel.reports.summary import FOR_PEOPLE, Requests, Summary
from support.plans import row_of, uuid

CHECK = "bulk-cancel closed --from 2026-12-24 --to 2026-12-24 --timezone Europe/Berlin"


def told(out: Path, **given: object) -> str:
    usual: dict[str, object] = {
        "run_id": "r",
        "rows": 3,
        "targets": 3,
        "counts": {Status.CANCELLED: 2, Status.REJECTED: 1},
        "requests": Requests(3, 0, 1),
        "elapsed_s": 2.0,
        "exit_code": Exit.REFUSED_ROWS,
        "out": str(out),
        "ledger": "l.db",
        "next": "Correct failed.csv (1 row) and run it as a new input.",
    }
    summary = Summary(**{**usual, **given})  # type: ignore[arg-type]  # as the test names them
    with redirect_stdout(StringIO()) as screen:
        show_summary(Terminal(), summary)
    return screen.getvalue()


def planned(*, runs: bool) -> str:
    plan = Plan(Pace(1, 1), rows=1, actions=Counter({Action.CANCEL: 1}), closure=CHECK)
    with redirect_stdout(StringIO()) as screen:
        show_plan(Terminal(), plan, "a.csv", runs=runs)
    return screen.getvalue()


def test_the_files_are_named_by_path_and_only_those_that_are_there(tmp_path: Path) -> None:
    for name in (REPORT_HTML, "results.csv", "failed.csv"):
        (tmp_path / name).touch()
    paths = ", ".join(str(tmp_path / name) for name in (REPORT_HTML, "results.csv", "failed.csv"))
    assert f"Results: {paths}\n" in told(tmp_path)


def test_each_file_of_a_run_for_people_is_known() -> None:
    assert {*FOR_PEOPLE} == {*FILES, REPORT_HTML, REBOOKING} - {"results.parquet"}


def test_paid_appointments_are_told(tmp_path: Path) -> None:
    lines = told(tmp_path, paid=2).splitlines()
    assert "2 cancelled appointments are paid: a cancel is no refund. report.html names them." in lines
    assert "is paid" not in told(tmp_path)
    assert "are paid" not in told(tmp_path)


def test_the_advice_for_a_closure_is_given_once_and_in_time(tmp_path: Path) -> None:
    """To block the day before the question, to check it after the run; a plan alone says both."""
    ended = told(tmp_path, closure=CHECK)
    assert ("Block the day first" in planned(runs=True), CHECK in planned(runs=True)) == (True, False)
    assert ("Block the day first" in ended, f"\nType: {CHECK}\n" in ended) == (False, True)
    assert "Block the day first" in planned(runs=False)
    assert CHECK in planned(runs=False)


@pytest.mark.parametrize(("api", "said"), [("127.0.0.1:8717", True), ("api.meetergo.com", False)])
def test_a_plan_of_a_second_rehearsal_names_a_new_ledger(api: str, said: bool) -> None:
    """The ledger of the first outlives its sandbox: everything is settled, and nothing would be sent."""
    place = Place(api, "MEETERGO_TOKEN", "ledger.db")
    actions, settled = Counter({Action.NOTHING: 1}), Counter({State.CANCELLED: 1})
    with redirect_stdout(StringIO()) as screen:
        show_plan(Terminal(), Plan(Pace(1, 1), rows=1, actions=actions, settled=settled, place=place), "a.csv")
    assert "1  settled in an earlier run" in screen.getvalue()
    assert ("to rehearse them again, name a new ledger, --ledger FILE." in screen.getvalue()) == said


def test_the_question_of_a_run_marks_and_counts_what_may_mail_a_group() -> None:
    """A direct run reads nothing before it asks."""
    rows = [row_of(2, cancel_all=True), row_of(3)]
    plan = make_plan([rows], lambda rows: [None] * len(rows), Pace(1, 1))
    with redirect_stdout(StringIO()) as screen:
        show_plan(Terminal(), plan, "a.csv", runs=True)
    shown = " ".join(screen.getvalue().split())
    assert f"2 {uuid(2)} [everyone, if it is a group] Closed 3 {uuid(3)} Closed" in shown
    assert "at most 2 cancellations, 1 for everyone if it is a group (not read), each with a mail" in shown


def test_the_summary_says_how_many_left_without_a_look_and_what_reads_them(tmp_path: Path) -> None:
    said = told(tmp_path, requests=Requests(3, unseen=2))
    assert "2 of the cancels were not read right before; --look each reads every appointment right before" in said
