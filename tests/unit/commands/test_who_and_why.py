"""Who started a run, why, and how it goes on: told alike by ledger, summary, page, status, explain and export."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import xlsxwriter

from bulk_cancel.access.setup import set_up
from bulk_cancel.cli.status import status_command
from bulk_cancel.commands.explain import explain
from bulk_cancel.commands.export import export
from bulk_cancel.commands.plan import plan_job
from bulk_cancel.commands.refusals import Refusal, note_refusal
from bulk_cancel.commands.report import ReportWish, report_run
from bulk_cancel.commands.run import prepare, run_and_tell, run_job
from bulk_cancel.commands.status import Overview, RunPhase, look_over
from bulk_cancel.core.model import Answer, Status, Target
from bulk_cancel.core.plan import Plan
from bulk_cancel.errors import DeclinedError, Exit, UsageError
from bulk_cancel.reports.summary import Summary
from support.office import Office
from support.plans import uuid
from support.played import LOG
from support.scripted import cancelled

TYPED = ("run", "closure.csv", "--reason", "We're closed.", "--ticket", "OPS-7")
AGAIN = "Type: bulk-cancel run closure.csv --reason 'We'\"'\"'re closed.' --ticket OPS-7"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def ran(office: Office, source: Path | str, *, words: tuple[str, ...] = TYPED, **flags: object) -> Summary:
    return run_job(office.job(source, **{"reason": "We're closed.", "ticket": "OPS-7", **flags}), office.typing(*words))


def stopping_after(office: Office, sent: int) -> None:
    """Let the credential be refused after so many cancels."""
    numbers: Iterator[int] = count()
    office.line.on_cancel = lambda target: cancelled(target) if next(numbers) < sent else Answer(401, is_api_error=True)


@pytest.mark.parametrize("from_plan", [False, True])
def test_how_the_input_was_read_is_told_of_the_run_as_of_the_plan(office: Office, from_plan: bool) -> None:
    source, told = office.folder / "closure.xlsx", "1 row is hidden and left out (row 3)."
    with xlsxwriter.Workbook(source) as book:
        sheet = book.add_worksheet()
        for number, cell in enumerate(("id", uuid(1), uuid(2))):
            sheet.write(number, 0, cell)
        sheet.set_row(2, None, None, {"hidden": True})
    asked = {"hidden_rows": "skip", "plan_file": str(office.folder / "a.plan")}
    assert told in plan_job(office.job(source, **asked), office.played.caller).notes
    if from_plan:
        office.run(office.folder / "a.plan")
    else:
        office.run(source, hidden_rows="skip")
    out = office.folder / "out"
    assert json.loads((out / "summary.json").read_text())["provenance"]["how_read"] == told
    for page in ((out / "report.html").read_text(encoding="utf-8"), office.report()):
        assert "How the input was read" in page
        assert told in page


def overview(office: Office) -> Overview:
    return look_over(office.setup().place, office.played.machine, 5)


def test_everything_that_is_written_tells_who_and_why(office: Office) -> None:
    summary = ran(office, office.write(3), approved_by="Grace", excel=True)
    known = {"user": "ada", "machine": "pc-7", "ticket": "OPS-7", "approved_by": "Grace"}
    document = json.loads((office.folder / "out" / "summary.json").read_text())
    assert known.items() <= document["provenance"].items()
    assert document["provenance"]["command"] == AGAIN.removeprefix("Type: ")
    page = (office.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert all(text in page for text in ("ada on pc-7", "OPS-7", "Grace", "--ticket"))
    (run,) = overview(office).runs
    assert run.record.provenance.told == "by ada on pc-7, ticket OPS-7, approved by Grace"
    (history,) = explain(office.setup().place, office.played.machine, uuid(0))
    assert [one.provenance.ticket for one in history.runs] == ["OPS-7"]
    assert "with the reason “We're closed.”" in history.events[0].sentence
    lines = io.StringIO()
    export(office.setup().place, lines)
    begun, first = (json.loads(line) for line in lines.getvalue().splitlines()[:2])
    assert (begun["event"], begun["run_id"]) == ("begun", summary.run_id)
    assert known.items() <= begun.items()
    assert first["event"] == "intent"
    results = (office.folder / "out" / "results.csv").read_text(encoding="utf-8").splitlines()
    assert results[0].endswith(",mailed_reason")
    assert all(line.endswith(",We're closed.") for line in results[1:])


def test_a_run_takes_over_what_the_plan_names_and_records_its_own(office: Office) -> None:
    source, plan = office.write(3), office.folder / "closure.plan"
    flags = {"plan_file": plan, "ticket": "OPS-1", "approved_by": "Grace"}
    made = plan_job(office.job(source, **flags), office.typing("plan"))
    assert made.digest
    page = (office.folder / "out" / "plan.html").read_text(encoding="utf-8")
    assert all(text in page for text in (made.digest, "OPS-1", "Grace"))
    document = json.loads((office.folder / "out" / "plan.json").read_text(encoding="utf-8"))
    assert (document["plan_digest"], document["api_url"]) == (made.digest, office.setup().api_url)
    assert document["provenance"]["command"] == "bulk-cancel plan"
    notes: list[str] = []
    caller = replace(office.typing("run"), approve=lambda asked: not notes.extend(asked.notes))
    summary = run_job(office.job(plan, ticket="OPS-2", out=str(office.folder / "run")), caller)
    known = summary.provenance
    assert (known.ticket, known.approved_by, known.plan_digest) == ("OPS-2", "Grace", made.digest)
    assert "The plan names another ticket: OPS-1. This run is recorded with OPS-2." in notes
    assert not any("Grace" in note for note in notes), "it stands beside the question already"
    assert made.digest in (office.folder / "run" / "report.html").read_text(encoding="utf-8")


#: As `doctor` says it.
ADVICE = "Set MEETERGO_TOKEN, or MEETERGO_TOKEN_FILE to the name of a file that holds it."


@pytest.mark.parametrize(("token", "why"), [("rgo-…", "characters that no credential has"), ("", "no credential")])
def test_a_plan_without_a_usable_credential_says_why_wherever_it_speaks_of_it(
    office: Office, token: str, why: str
) -> None:
    caller = office.played.caller
    caller = replace(caller, machine=replace(caller.machine, environ={"MEETERGO_TOKEN": token}))
    plan = plan_job(office.job(office.write(1), look="auto", out=None), caller)
    assert plan.place is not None
    assert why in plan.place.credential
    assert plan.look is not None
    assert f"{plan.place.credential}." == f"{plan.look.offline} {ADVICE}"


def test_status_says_once_what_is_to_be_done_and_where_the_results_are(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who was not there reads: what became of the rows, where that is written, how to check the days."""
    source = office.folder / "found.csv"
    source.write_text(
        "appointment_id,start,end,host_ids,meeting_type_id\n"
        f"{uuid(1)},2031-01-02T09:00:00Z,,,\nnobody,2031-01-02T10:00:00Z,,,\n"
    )
    summary = ran(office, source, timezone="Europe/Berlin")
    monkeypatch.setattr("bulk_cancel.cli.status.this_machine", lambda: office.played.machine)
    monkeypatch.setattr("bulk_cancel.cli.status.place_of", lambda _: office.setup().place)
    status_command(None, 5, None, json=False)
    told = capsys.readouterr().out
    assert told.count(summary.next) == 1
    assert f"  Results in {office.folder / 'out'}\n" in told
    assert "  1 cancelled, 1 invalid.\n" in told
    then = "bulk-cancel closed --from 2031-01-02 --to 2031-01-02 --timezone Europe/Berlin"
    assert told.endswith(f"\nType: {then} --all-hosts\n")


def test_status_says_how_many_older_runs_there_are(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = office.write(1)
    runs = [ran(office, source).run_id for _ in range(3)]
    monkeypatch.setattr("bulk_cancel.cli.status.this_machine", lambda: office.played.machine)
    monkeypatch.setattr("bulk_cancel.cli.status.place_of", lambda _: office.setup().place)
    status_command(None, 1, None, json=False)
    told = capsys.readouterr().out
    assert "\n2 older runs: --limit 3\n" in told
    assert runs[0] not in told
    status_command(None, 3, None, json=False)
    told = capsys.readouterr().out
    assert "--limit" not in told
    assert runs[0] in told


def test_a_second_run_does_not_hide_who_cancelled_on_which_ticket(office: Office) -> None:
    """Into the same folder: its page and its summary replace those of the run that sent the cancels."""
    source = office.write(2)
    first = ran(office, source, approved_by="Grace")
    second = run_job(office.job(source), office.typing("run", "closure.csv"))
    assert (second.requests.posts if second.requests else None) == 0
    page = (office.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert first.run_id in page
    assert "by ada on pc-7, ticket OPS-7, approved by Grace" in page
    document = json.loads((office.folder / "out" / "summary.json").read_text())
    (earlier,) = document["earlier_runs"]
    assert (earlier["run_id"], earlier["ticket"], earlier["approved_by"]) == (first.run_id, "OPS-7", "Grace")


def test_each_runs_times_are_in_its_own_zone(office: Office) -> None:
    """A newer run without a zone does not move the times of an older one."""
    source = office.write(1)
    older = ran(office, source, timezone="Europe/Berlin")
    newer = ran(office, source, timezone="UTC")
    zones = {run.record.run_id: str(run.zone) for run in overview(office).runs}
    assert zones == {older.run_id: "Europe/Berlin", newer.run_id: "UTC"}
    (history,) = explain(office.setup().place, office.played.machine, uuid(0))
    assert history.events
    assert {str(event.zone) for event in history.events} == {"Europe/Berlin"}
    (asked,) = explain(office.setup().place, office.played.machine, uuid(0), ZoneInfo("Asia/Tokyo"))
    assert {str(event.zone) for event in asked.events} == {"Asia/Tokyo"}


def test_what_is_left_goes_on_with_the_very_command_and_its_reason(office: Office) -> None:
    stopping_after(office, 2)
    summary = ran(office, office.write(8))
    assert summary.exit_code == Exit.CREDENTIAL
    for told in (
        summary.next,
        office.status(),
        json.loads((office.folder / "out" / "summary.json").read_text())["next"],
    ):
        assert told.splitlines()[-1] == AGAIN
    assert "--ticket OPS-7" in office.report()


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ("run {input} --map appointment_id=Termin --reason 'We are closed.' --ticket OPS-7 --out muc",
         "run {file} --map appointment_id=Termin --reason 'We are closed.' --ticket OPS-7 --out {out}-invalid"),
        ("run --encoding cp1252 {input} --ledger l.sqlite3", "run {file} --ledger l.sqlite3 --out {out}-invalid"),
    ],
)  # fmt: skip
def test_rows_are_corrected_with_the_very_options_of_their_run(office: Office, words: str, then: str) -> None:
    """Following what `next` says must not lose the columns, the reason or the ticket."""
    source, out = office.folder / "muc.csv", office.folder / "out"
    source.write_text(f"Termin\n{uuid(1)}\nnobody\n")
    typed = shlex.split(words.format(input=source))
    flags = {"map": ["appointment_id=Termin"], "reason": "We are closed."}
    summary = run_job(office.job(source, **flags), office.typing(*typed))
    told = f"Correct {out}/invalid.csv (1 row) and run it as a new input."
    command = then.format(file=out / "invalid.csv", out=out)
    assert summary.next.splitlines() == [told, f"Type, once it is corrected: bulk-cancel {command}"]
    assert summary.next in office.status()
    corrected = out / "invalid.csv"
    corrected.write_text(corrected.read_text().replace("nobody", uuid(2)))
    again = office.job(corrected, **flags, out=f"{out}-invalid")
    assert run_job(again, office.typing("run")).counts[Status.CANCELLED] == 1


def test_rows_of_a_job_file_are_corrected_with_the_job_file(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    source, job = office.folder / "muc.csv", office.folder / "muc.toml"
    source.write_text(f"id\n{uuid(1)}\nnobody\n")
    job.write_text('input = "muc.csv"\nreason = "Closed."\n')
    last = ran(office, job, words=("run", str(job))).next.splitlines()[-1]
    file = office.folder / "out" / "invalid.csv"
    then = f"BULK_CANCEL_INPUT={file} bulk-cancel run {job} --out {file.parent}-invalid"
    assert last == f"Type, once it is corrected: {then}"
    monkeypatch.setenv("BULK_CANCEL_INPUT", str(file))
    assert (office.job(job).input, office.job(job).reason) == (str(file), "Closed.")


def test_what_to_type_names_the_file_for_a_reader_in_any_folder(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nightly run's mail is read elsewhere; the results were in a folder below the run's own."""
    monkeypatch.chdir(office.folder)
    source = office.folder / "muc.csv"
    source.write_text(f"id\n{uuid(1)}\nnobody\n")
    job = office.job(source, out=Path("out"))
    last = run_job(job, office.typing("run", str(source))).next.splitlines()[-1]
    file = office.folder / "out" / "invalid.csv"
    assert last == f"Type, once it is corrected: bulk-cancel run {file} --out {office.folder}/out-invalid"


def test_rows_of_a_plan_are_planned_again(office: Office) -> None:
    source, plan = office.folder / "muc.csv", office.folder / "muc.plan"
    source.write_text(f"id\n{uuid(1)}\nnobody\n")
    plan_job(office.job(source, plan_file=plan, out=None), office.typing("plan"))
    summary = run_job(office.job(plan), office.typing("run", str(plan)))
    assert summary.next == (
        f"Correct {office.folder}/out/invalid.csv (1 row) and plan it as a new input. "
        "Give --reason, --cancel-all and --account as for the first plan: invalid.csv does not hold them."
    )
    page = (office.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("and plan it as a new input.") == 2, "on top and in the card of the invalid rows"
    assert "run it as a new input" not in page


def test_what_another_input_left_is_told_with_its_command(office: Office) -> None:
    stopping_after(office, 2)
    first = ran(office, office.write(8))
    office.line.on_cancel = cancelled
    other = office.folder / "other.csv"
    other.write_text(f"id\n{uuid(99)}\n", encoding="utf-8")
    assert ran(office, other, words=("run", "other.csv")).exit_code == Exit.OK
    seen = overview(office)
    assert seen.left == 6
    assert f"Of the run {first.run_id} ({office.folder}/closure.csv) 6 targets are still to be sent, too" in seen.next
    assert seen.next.splitlines()[-1] == AGAIN


def test_a_run_whose_rest_a_later_one_took_over_is_superseded(office: Office) -> None:
    stopping_after(office, 2)
    ran(office, office.write(8))
    office.line.on_cancel = cancelled
    assert ran(office, office.folder / "closure.csv").exit_code == Exit.OK
    seen = overview(office)
    assert [run.phase for run in seen.runs] == [RunPhase.ENDED, RunPhase.SUPERSEDED]
    assert seen.runs[1].said == "It ended early; what was still to be sent was taken over by later runs."
    assert seen.next == "Done: nothing is left to do."


def test_of_rows_to_correct_nothing_is_said_to_be_taken_over(office: Office) -> None:
    source = office.folder / "muc.csv"
    source.write_text(f"id\n{uuid(1)}\nnobody\n")
    for _ in range(2):
        assert ran(office, source).exit_code == Exit.REFUSED_ROWS
    older = overview(office).runs[1]
    assert (older.phase, older.said) == (RunPhase.SUPERSEDED, "A person had to look at its rows.")


def test_status_sends_nobody_to_status(office: Office) -> None:
    """It tells of other inputs as they are now, once, below the runs."""
    source = office.folder / "muc.csv"
    source.write_text(f"id\n{uuid(1)}\nnobody\n")
    ran(office, source)
    assert "tells which" in ran(office, office.write(1)).next
    stopping_after(office, 2)
    ran(office, office.write(8))
    office.line.on_cancel = cancelled
    (other := office.folder / "other.csv").write_text(f"id\n{uuid(99)}\n")
    assert "tells how" in ran(office, other).next
    seen = overview(office)
    assert [run.said.partition("\n")[0] for run in (seen.runs[0], seen.runs[2])] == [
        "Done: nothing of this input is left to do."
    ] * 2
    assert not [run.said for run in seen.runs if "bulk-cancel status" in run.said]


def test_a_refused_command_is_told_until_a_run_begins(office: Office) -> None:
    source = office.write(3)
    assert ran(office, source).exit_code == Exit.OK
    with pytest.raises(DeclinedError):
        run_and_tell(office.job(office.write(6), max_cancel=1), office.typing(*TYPED))
    seen = overview(office)
    assert seen.refusal is not None
    assert "more than --max-cancel 1 allows" in seen.refusal.why
    assert seen.next.splitlines()[:2] == [f"The newest command was refused, exit 5: {seen.refusal.why}", AGAIN]
    assert "nothing is left to do" not in seen.next
    office.played.now += 10
    ran(office, office.folder / "closure.csv")
    assert overview(office).refusal is None


@pytest.mark.parametrize(
    ("code", "variables", "what"),
    [
        (Exit.NO_INPUT, "", "the name of the input"),
        (Exit.BAD_INPUT, "", "the input, or how it is read"),
        (Exit.CONFIG, "", "the setting"),
        (Exit.UNREACHABLE, "MEETERGO_API_URL=https://wrong ", "the address of the API"),
    ],
)
def test_a_command_that_was_refused_for_its_options_has_to_be_corrected(
    office: Office, code: Exit, variables: str, what: str
) -> None:
    ran(office, office.write(1))
    at, command = office.played.machine.clock.now() + 1, f"{variables}bulk-cancel run nochda.csv"
    note_refusal(office.setup().place, office.played.machine, Refusal(at, at, code, "It is wrong.", command))
    assert office.status().splitlines() == [
        f"The newest command was refused, exit {int(code)}: It is wrong. Correct {what} before you type it again.",
        f"It was: {command}",
    ]


def test_what_a_person_declined_is_not_told_as_refused(office: Office) -> None:
    ran(office, office.write(1))
    office.played.now += 1
    with pytest.raises(DeclinedError):
        run_and_tell(office.job(office.write(2)), replace(office.typing(*TYPED), approve=lambda _: False))
    told = "The newest command was declined by the person who was asked: Nothing was sent."
    assert office.status().splitlines() == [told, AGAIN]


def test_nobody_is_told_to_wait_for_a_run_that_is_over(office: Office) -> None:
    ran(office, office.write(1))
    at, why = (
        office.played.machine.clock.now() + 1,
        "Another run holds the ledger l: wait.",
    )
    command = AGAIN.removeprefix("Type: ")
    note_refusal(office.setup().place, office.played.machine, Refusal(at, at, Exit.LOCKED, why, command))
    told = office.status().splitlines()
    assert told[0].endswith("exit 75: another run was at work. None is at work on this ledger any more.")
    assert told[1] == AGAIN


def test_a_run_that_could_not_record_its_end_says_once_why_and_was_not_killed(office: Office) -> None:
    def die(target: Target) -> Answer:
        raise GeneratorExit  # as a kill: nothing is recorded any more

    office.line.on_cancel = die
    with pytest.raises(BaseExceptionGroup):
        ran(office, office.write(3))
    (run,) = overview(office).runs
    assert (run.phase, run.said) == (RunPhase.KILLED, "Interrupted before its end.")
    at, why = run.record.started_at, "The disk refused the ledger L: disk is full."
    note_refusal(office.setup().place, office.played.machine, Refusal(at - 1, at + 1, Exit.DISK, why, TYPED[0]))
    seen = overview(office)
    (run,) = seen.runs
    assert (run.phase, run.exit_code, seen.refusal) == (RunPhase.ENDED, Exit.DISK, None)
    report = f"bulk-cancel report {run.record.run_id} --ledger {office.setup().place}"
    assert seen.next.startswith(
        f"The run {run.record.run_id} broke off before its end: {why} To write its files, type: {report}. "
        "Make room on the disk, or mend it, then run the same command again"
    )
    note_refusal(office.setup().place, office.played.machine, Refusal(at + 1, at + 2, Exit.CONFIG, why, TYPED[0]))
    assert overview(office).runs[0].phase is RunPhase.KILLED


@pytest.mark.parametrize(("reason", "now"), [("Flood.", "“Flood.”"), (None, "(no reason)")])
def test_another_reason_than_earlier_rows_got_is_told_before_anything_is_asked(
    office: Office, reason: str | None, now: str
) -> None:
    stopping_after(office, 2)
    source = office.write(8)
    ran(office, source)
    asked: list[Plan] = []
    caller = replace(office.typing("run"), approve=lambda plan: bool(asked.append(plan)))
    with pytest.raises(DeclinedError):
        run_job(office.job(source, reason=reason), caller)
    assert any("2 rows were cancelled earlier with another reason" in note for note in asked[0].notes)
    assert any(f"got “We're closed.”, now: {now}." in note for note in asked[0].notes)
    with pytest.raises(DeclinedError):
        run_job(office.job(source, reason="We're closed."), caller)
    assert asked[1].notes == ()


def test_plan_says_which_api_whose_credential_and_which_ledger(office: Office) -> None:
    plan = plan_job(office.job(office.write(2), out=None), office.typing("plan"))
    assert plan.place is not None
    assert plan.place.api == "api.meetergo.com"
    assert plan.place.credential == "personal access token in MEETERGO_TOKEN"
    assert plan.place.ledger == str(office.setup().place)
    assert plan.no_reasons == 2


def test_the_report_of_a_killed_run_has_a_summary(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulk_cancel.commands.run.conclude", lambda *_: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception):
        ran(office, office.write(3))
    assert not (office.folder / "out" / "summary.json").exists()
    office.report()
    document = json.loads((office.folder / "out" / "summary.json").read_text())
    assert (document["counts"]["cancelled"], document["requests"], document["exit_code"]) == (3, None, 0)
    assert "has not ended" in document["next"]


def test_report_refuses_a_folder_of_another_run_and_removes_nothing(office: Office) -> None:
    one = ran(office, office.write(3), out=str(office.folder / "one"))
    ran(office, office.folder / "closure.csv", out=str(office.folder / "two"))
    before = (office.folder / "two" / "summary.json").read_text()
    with pytest.raises(UsageError, match="holds the results of the run"):
        report_run(office.setup().place, office.played.machine, one.run_id, ReportWish(out=office.folder / "two"))
    assert (office.folder / "two" / "summary.json").read_text() == before
    kept = office.folder / "one" / "failed.csv"
    kept.write_text("mine")
    report_run(office.setup().place, office.played.machine, one.run_id, ReportWish())
    assert kept.exists()
    assert one.counts[Status.CANCELLED] == 3


def test_a_run_that_was_interrupted_is_told_as_that_and_its_counts_as_those_of_now(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a kill as by a second Ctrl-C; another run may have cancelled what its rows name."""
    source = office.write(3)
    with prepare(set_up(office.job(source), LOG, office.typing("run", str(source)).machine), lambda _: True):
        pass  # it ends here, at once
    ran(office, source)
    monkeypatch.setattr("bulk_cancel.cli.status.this_machine", lambda: office.played.machine)
    monkeypatch.setattr("bulk_cancel.cli.status.place_of", lambda _: office.setup().place)
    status_command(None, 5, None, json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "Its rows now: 3 cancelled. Interrupted before its end" in told
    assert "killed" not in told.lower()
