"""How commands end, and what they say comes next: run, status, report and reconcile agree, and what they name works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from bulk_cancel.access.setup import set_up
from bulk_cancel.cli.render import show_plan
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.commands.explain import explain
from bulk_cancel.commands.plan import plan_job
from bulk_cancel.commands.run import prepare, run_job
from bulk_cancel.commands.status import look_over
from bulk_cancel.core.model import Answer, Appointment, Status, Target
from bulk_cancel.errors import Exit, PlanError, UsageError
from bulk_cancel.reports.summary import Summary
from support.office import Office
from support.plans import uuid
from support.played import LOG
from support.scripted import NO_ANSWER, active, cancelled, said


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def counts(summary: Summary) -> dict[str, int]:
    return {status.value: count for status, count in summary.counts.items() if count}


def test_after_a_plan_has_expired_the_named_files_finish_the_rest(office: Office) -> None:
    source, plan = office.write(12), office.folder / "closure.plan"
    plan_job(office.job(source, plan_file=plan, plan_ttl="70s", out=None), office.played.caller)
    slow = {"rate": "6/min", "burst": 1}
    first = office.run(plan, **slow)
    assert first.exit_code == Exit.STOPPED
    assert first.counts[Status.PENDING]
    for told in (first.next, office.status(), office.report()):
        assert "out/unprocessed.csv" in told
        assert "run the same command" not in told
        assert f"bulk-cancel run {plan}" not in told
    with pytest.raises(PlanError):
        office.run(plan, **slow)
    rest = office.folder / "rest.plan"
    plan_job(office.job(office.folder / "out" / "unprocessed.csv", plan_file=rest, out=None), office.played.caller)
    last = office.run(rest, out=str(office.folder / "rest"))
    assert last.exit_code == Exit.OK
    assert len({name for _, name in office.line.posts}) == len(office.line.posts) == 12


def test_a_run_that_was_killed_and_whose_plan_has_expired_is_planned_anew_from_its_files(office: Office) -> None:
    source, plan = office.write(3), office.folder / "closure.plan"
    plan_job(office.job(source, plan_file=plan, plan_ttl="70s", out=None), office.played.caller)
    with prepare(set_up(office.job(plan), LOG, office.typing("run", str(plan)).machine), lambda _: True):
        pass  # it dies here
    assert "run the same command again" in office.status().lower()
    office.played.now += 100.0
    told = office.status()
    assert "bulk-cancel report" in told
    assert "out/unprocessed.csv" in told
    assert "the same command" not in told.lower()
    office.report()
    rest = office.folder / "rest.plan"
    plan_job(office.job(office.folder / "out" / "unprocessed.csv", plan_file=rest, out=None), office.played.caller)
    assert office.run(rest, out=str(office.folder / "rest")).exit_code == Exit.OK


def test_run_status_and_report_say_the_same_of_what_only_a_person_can_settle(office: Office) -> None:
    source = office.write(3)
    office.line.on_cancel = lambda target: NO_ANSWER if target.appointment_id == uuid(1) else cancelled(target)
    office.line.on_read = lambda target: said(404) if target.appointment_id == uuid(1) else office.truth(target)
    assert office.run(source).exit_code == Exit.UNKNOWN
    assert "run the same command again" in office.status().lower()
    office.played.now += 700.0
    last = office.run(source)
    assert last.exit_code == Exit.REFUSED_ROWS
    for told in (last.next, office.status(), office.report()):
        assert "bulk-cancel resolve" in told
        assert "the same command" not in told.lower()
    assert office.reconcile().exit_code == Exit.REFUSED_ROWS


def test_a_report_of_an_earlier_run_says_when_its_rows_were_so_and_names_its_own_folder(office: Office) -> None:
    source, old = office.write(12), office.folder / "old"
    source.write_text(f"{source.read_text(encoding='utf-8')}nobody\n", encoding="utf-8")
    first = office.run(source, rate="6/min", burst=1, max_duration="60s")
    assert first.exit_code == Exit.STOPPED
    office.report_into(first.run_id, old)
    told = json.loads((old / "summary.json").read_text(encoding="utf-8"))
    assert "counts_as_of" not in told
    assert office.run(source).exit_code == Exit.REFUSED_ROWS
    office.report_into(first.run_id, old)
    page, told = ((old / name).read_text(encoding="utf-8") for name in ("report.html", "summary.json"))
    assert re.search(r"<h1>As of \d{4}-\d\d-\d\d .*: 12 of 13 rows are done", page)
    assert "what follows is as of the run&#39;s end" in page
    summary = json.loads(told)
    assert (summary["exit_code"], summary["counts"]["pending"], summary["out"]) == (Exit.STOPPED, 0, str(old))
    assert summary["counts_as_of"].startswith("20")
    for there in (page, summary["next"]):
        assert f"Correct {old}/invalid.csv" in there.replace("&#39;", "'")


def _with_a_warning(target: Target) -> Answer:
    answer = cancelled(target)
    assert answer.appointment is not None
    return replace(answer, appointment=replace(answer.appointment, warnings=("CALENDAR",)))


def test_a_cancellation_whose_after_effects_went_wrong_is_told_once(office: Office) -> None:
    source = office.write(2)
    office.line.on_cancel = _with_a_warning
    first = office.run(source)
    assert (first.exit_code, counts(first)) == (Exit.REFUSED_ROWS, {"cancelled": 2})
    assert "look at them in meetergo" in first.next
    assert first.next == office.status()
    assert office.run(source).exit_code == Exit.OK


def test_a_plan_whose_rows_moved_needs_a_person(office: Office) -> None:
    at = "2031-01-01T09:00:00Z"

    def shown(start: str) -> Callable[[Target], Answer]:
        return lambda target: Answer(200, appointment=Appointment(target.appointment_id, False, start=start))

    source, plan = office.write(2), office.folder / "closure.plan"
    office.line.on_read = shown(at)
    plan_job(office.job(source, plan_file=plan, look="each", out=None), office.played.caller)
    office.line.on_read = shown("2031-01-02T09:00:00Z")
    ended = office.run(plan, look="each")
    assert (ended.exit_code, counts(ended)) == (Exit.REFUSED_ROWS, {"skipped": 2})
    assert "not what was approved" in ended.next
    assert office.status() == ended.next, "nothing was cancelled: there is no closed day to check"
    assert not office.line.posts


def test_a_reconcile_that_finds_targets_active_says_so_until_a_run_has_sent_them(office: Office) -> None:
    source = office.write(2)
    office.line.on_cancel = lambda _: NO_ANSWER
    office.line.on_read = active
    office.run(source)
    office.played.now += 700.0
    first, second = office.reconcile(), office.reconcile()
    assert [first.exit_code, second.exit_code] == [Exit.STOPPED, Exit.STOPPED]
    assert first.next == second.next
    assert first.next.startswith("2 cancels were not applied and may be sent again: run the input that names them.")
    office.line.on_cancel = cancelled
    assert office.run(source).exit_code == Exit.OK
    assert office.reconcile().exit_code == Exit.OK


def test_a_run_behind_a_cache_names_it_and_what_it_names_works(office: Office) -> None:
    source = office.write(3)
    office.line.on_read = lambda target: replace(active(target), age_s=float("inf"))
    for _ in range(2):
        ended = office.run(source, look="each")
        assert (ended.exit_code, counts(ended)) == (Exit.STOPPED, {"failed": 3})
        assert "a cache answers in place of the api" in ended.next.lower()
    assert "--look never" in (office.folder / "out" / "failed.csv").read_text(encoding="utf-8")
    assert office.run(source, look="never").exit_code == Exit.OK


@pytest.mark.parametrize("name", ["failed.csv", "unprocessed.csv", "invalid.csv", "results.csv"])
def test_results_that_would_replace_their_own_input_are_refused(office: Office, name: str) -> None:
    source = office.write(3).rename(office.folder / name)
    before = source.read_bytes()
    with pytest.raises(UsageError, match="would replace"):
        run_job(office.job(source, out=office.folder), office.played.caller)
    assert source.read_bytes() == before
    assert not office.line.posts


def test_status_and_explain_name_the_time_that_the_run_named(office: Office) -> None:
    source = office.write(2)
    office.line.on_cancel = lambda target: NO_ANSWER if target.appointment_id == uuid(1) else cancelled(target)
    office.line.on_read = active
    ended = office.run(source, settle="2h")
    due = re.search(r"after (\S+ \S+)", ended.next)
    assert due is not None
    assert f"after {due[1]}" in office.status()
    (history,) = explain(office.setup().place, office.played.machine, uuid(1))
    assert history.open is not None
    assert history.open.due_at == pytest.approx(history.open.sent_at + 7200, abs=5)
    office.run(source, settle="61s")
    assert f"after {due[1]}" in office.status(), "the longest holds"


@pytest.mark.parametrize("settle", ["90s", "30m"])
def test_the_settle_time_of_the_newest_run_holds_for_what_an_earlier_one_sent(office: Office, settle: str) -> None:
    source = office.write(2)
    office.line.on_cancel = lambda _: NO_ANSWER
    office.line.on_read = active
    office.run(source, settle="70s")
    ended = office.run(source, settle=settle)
    assert ended.exit_code == Exit.UNKNOWN
    assert ended.next == office.status()


def test_status_names_the_time_of_the_last_of_many_unknown_ones(office: Office) -> None:
    source = office.write(60)
    office.line.on_cancel = lambda target: NO_ANSWER if int(target.appointment_id[-2:], 16) % 2 else cancelled(target)
    office.line.on_read = active
    ended = office.run(source, settle="2h", rate="6/min", burst=1)
    assert ended.counts[Status.UNKNOWN] == 30
    assert ended.next == office.status()


def test_commands_to_type_name_the_ledger(office: Office) -> None:
    source, plan = office.write(3), office.folder / "closure.plan"
    office.line.on_cancel = lambda _: NO_ANSWER
    office.line.on_read = active
    plan_job(office.job(source, plan_file=plan, plan_ttl="70s", out=None), office.played.caller)
    office.run(plan)
    office.played.now += 100.0
    ledger = office.setup().place
    page = office.report().replace("&#39;", "'").replace("<code>", "`").replace("</code>", "`")
    for told in (office.status(), page):
        assert f"`bulk-cancel reconcile --ledger {ledger}`" in told
        assert f"`bulk-cancel report --ledger {ledger}`" in told


def test_a_run_whose_own_rows_are_done_names_what_earlier_inputs_left_open(office: Office) -> None:
    source = office.write(1)
    office.line.on_cancel = lambda target: NO_ANSWER if target.appointment_id == uuid(0) else cancelled(target)
    office.line.on_read = lambda target: said(404) if target.appointment_id == uuid(0) else office.truth(target)
    assert office.run(source).exit_code == Exit.UNKNOWN
    others = [office.folder / "one.csv", office.folder / "two.csv"]
    for number, other in enumerate(others, 7):
        other.write_text(f"id\n{uuid(number)}\n", encoding="utf-8")
    done = office.run(others[0])
    assert done.exit_code == Exit.UNKNOWN, "it looked, and still does not know: no exit 0"
    assert done.next.startswith("Done: nothing of this input is left to do. Cancels of earlier inputs have no known")
    assert ", type: bulk-cancel reconcile" in done.next
    office.played.now += 700.0
    assert office.run(source).exit_code == Exit.REFUSED_ROWS
    done = office.run(others[1])
    assert done.exit_code == Exit.REFUSED_ROWS, "a person decides"
    assert "of this input is left to do. Cancels of earlier inputs can be settled by no read: a person" in done.next
    assert "nothing is left to do" not in office.status().lower()


def test_a_run_names_the_rows_that_an_earlier_input_did_not_reach(office: Office) -> None:
    first = office.run(office.write(6), rate="1/min", burst=1, max_duration="70s", out=str(office.folder / "first"))
    left = first.counts[Status.PENDING]
    other = office.folder / "other.csv"
    other.write_text(f"id\n{uuid(17)}\n", encoding="utf-8")
    done = office.run(other)
    assert done.exit_code == Exit.OK
    assert "Done: nothing of this input is left to do." in done.next
    assert f"{left} targets of earlier inputs are still to be sent: `bulk-cancel status" in done.next
    assert "nothing is left to do" not in office.status().lower()


def test_a_plan_counts_the_pause_that_the_api_asked_for(office: Office) -> None:
    source = office.write(2)
    office.line.on_cancel = lambda _: replace(said(429), retry_after_s=86_400.0)
    told = office.run(source, concurrency=1).next
    assert told.startswith("The API asks to wait")
    plan = plan_job(office.job(source, out=str(office.folder / "audit")), office.played.caller)
    assert plan.needs_s > 86_000.0
    assert plan.hours.outlook(office.played.machine.clock.now(), plan.duration_s).startswith("The API asks to wait")
    assert "every run stops at once" in (office.folder / "audit" / "plan.html").read_text(encoding="utf-8")


def test_a_row_settled_in_the_plans_ledger_alone_is_skipped_and_explained(office: Office) -> None:
    source, plan = office.write(3), office.folder / "closure.plan"
    other = {"ledger": str(office.folder / "other.db"), "out": str(office.folder / "elsewhere")}
    office.run(source)
    plan_job(office.job(source, plan_file=plan, out=None), office.played.caller)
    with redirect_stdout(StringIO()) as shown:
        show_plan(
            Terminal(), plan_job(office.job(plan, ledger=other["ledger"], out=None), office.played.caller), str(plan)
        )
    assert "settled by the ledger that the plan was made with alone" in shown.getvalue()
    for _ in range(2):
        last = office.run(plan, **other)
        assert (last.exit_code, counts(last)) == (Exit.OK, {"skipped": 3})
        assert "same command" not in last.next
    told = (office.folder / "elsewhere" / "results.csv").read_text(encoding="utf-8")
    assert told.count("cancelled in an earlier run, by the ledger that the plan was made with") == 3
    assert len(office.line.posts) == 3


def _with_a_wrong_row(office: Office, name: str, number: int) -> Path:
    source = office.folder / name
    source.write_text(f"id\n{uuid(number)}\nnobody\n", encoding="utf-8")
    return source


def test_rows_to_correct_stay_open_until_they_are_run(office: Office) -> None:
    """Neither a run of another input nor `status` says "done" while rows of an earlier input are to be corrected."""
    out = office.folder / "first"
    office.run(_with_a_wrong_row(office, "one.csv", 1), out=str(out))
    done = office.run(office.write(1))
    assert done.exit_code == Exit.OK
    assert done.next.startswith("Done: nothing of this input is left to do. 1 row of earlier inputs needs a person")
    told = office.status().splitlines()
    assert len(told) == 1
    assert told[0].endswith(f"one.csv): Correct {out}/invalid.csv (1 row) and run it as a new input.")
    corrected = out / "invalid.csv"
    corrected.write_text(corrected.read_text(encoding="utf-8").replace("nobody", uuid(2)), encoding="utf-8")
    assert office.run(corrected).next == "Done: nothing is left to do."
    assert office.status() == "Done: nothing is left to do."
    seen = look_over(office.setup().place, office.played.machine, 5)
    assert "invalid.csv" not in "".join(run.said for run in seen.runs)


def test_of_each_input_only_the_newest_run_has_rows_to_correct(office: Office) -> None:
    source = _with_a_wrong_row(office, "one.csv", 1)
    office.run(source, out=str(office.folder / "first"))
    office.run(source, out=str(office.folder / "second"))
    office.run(office.write(1))
    assert "first" not in office.status()
    assert "second/invalid.csv (1 row)" in office.status()


def test_an_after_effect_that_went_wrong_stays_open_beside_a_later_input(office: Office) -> None:
    office.line.on_cancel = _with_a_warning
    office.run(_with_a_wrong_row(office, "one.csv", 1), out=str(office.folder / "first"))
    office.line.on_cancel = cancelled
    office.run(office.write(1))
    assert "An after-effect of 1 cancellation went wrong" in office.status()
    assert "Done" not in office.status()
