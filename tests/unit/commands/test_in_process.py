"""A whole run on a machine that is played: virtual time, a scripted API, neither threads nor signals."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import trio
from structlog.testing import CapturingLogger

from bulk_cancel.access.places import ledger_lock
from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.cli.render import show_plan
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.commands.plan import plan_job
from bulk_cancel.commands.run import prepare, run_in, run_job
from bulk_cancel.core.actions import Look
from bulk_cancel.core.model import Answer, Appointment, Target
from bulk_cancel.engine.runner import Runner
from bulk_cancel.errors import LockedError, UnreachableError
from bulk_cancel.execution.execute import RunFacts, contexts_of, execute
from bulk_cancel.execution.finish import conclude
from bulk_cancel.ops.locks import locked
from bulk_cancel.ops.progress import Display, Standing
from bulk_cancel.planning import account_reads
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import load_job
from support.office import Office
from support.plans import uuid
from support.played import LOG, Played
from support.scripted import NO_ANSWER, NOT_SENT, ScriptedLine, active, cancelled, said

COUNT = 12


def ready(folder: Path) -> tuple[Played, Setup]:
    folder.mkdir()
    source = folder / "closure.csv"
    source.write_text("id\n" + "\n".join(uuid(number) for number in range(COUNT)) + "\n", encoding="utf-8")
    job = load_job(str(source), {"rate": "6/min", "burst": 1, "out": str(folder / "out"), "concurrency": 3})
    played = Played(folder)
    return played, set_up(job, LOG, played.machine)


def carried(folder: Path) -> tuple[Summary, ScriptedLine]:
    """Prepare, execute and conclude one by one, as a world does."""
    played, setup = ready(folder)
    with prepare(setup, lambda _: True) as facts:
        assert isinstance(facts, RunFacts)
        end = played.run_loop(execute, contexts_of(setup, facts), Runner.run)
        return conclude(setup, facts, end), played.line


def test_an_hour_of_pacing_takes_no_time_and_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread"))
    summary, line = carried(tmp_path / "one")
    assert (summary.exit_code, len({appointment for _, appointment in line.posts})) == (0, COUNT)
    assert summary.elapsed_s >= (COUNT - 1) * 10


def test_the_same_machine_has_the_same_history(tmp_path: Path) -> None:
    (one, first), (two, second) = carried(tmp_path / "one"), carried(tmp_path / "two")
    assert (first.posts, first.pages) == (second.posts, second.pages)
    same = {"out": None, "ledger": None}
    assert {**asdict(one), **same} == {**asdict(two), **same}


def test_the_whole_command_runs_on_it(tmp_path: Path) -> None:
    played, setup = ready(tmp_path / "one")
    summary = run_in(setup, played.caller)
    assert summary.exit_code == 0
    assert summary.run_id.startswith("20270115-080000-"), "the played clock's"
    again = run_in(setup, played.caller)
    assert (again.exit_code, again.requests.posts) == (0, 0)
    assert again.run_id != summary.run_id


class Seen(Display):
    """Looks every second at where the run stands."""

    def __init__(self) -> None:
        self.standings: list[Standing] = []

    async def follow(self, standing: Callable[[], Standing]) -> None:
        while True:
            self.standings.append(standing())
            await trio.sleep(1)


def test_no_more_is_done_than_there_is_and_the_settle_time_is_told_as_it_passes(tmp_path: Path) -> None:
    """The first run leaves an outcome unknown; the second one settles it, and sends the rest."""
    played, setup = ready(tmp_path / "one")
    lost = uuid(3)
    played.line.on_cancel = lambda target: NO_ANSWER if target.appointment_id == lost else cancelled(target)
    assert run_in(setup, played.caller).exit_code == 4
    played.line.on_cancel = cancelled
    patient = replace(setup, job=setup.job.model_copy(update={"wait": True}))
    seen = Seen()
    assert run_in(patient, replace(played.caller, display=seen)).exit_code == 0
    assert {one.total for one in seen.standings} <= {0, 1}
    assert all(one.done <= one.total for one in seen.standings)
    waits = [one.note for one in seen.standings if one.note.startswith("waiting")]
    assert len({*waits}) > 60, "the time that is left is told, not the time that there was"
    assert all(note.endswith("until cancels without an answer can no longer be applied") for note in waits)


def test_an_outage_is_told_while_it_lasts(tmp_path: Path) -> None:
    """Nothing leaves the machine for some minutes: a person sees until when the run waits, each time."""
    played, setup = ready(tmp_path / "one")
    down_until = played.monotonic() + 300.0

    def is_down() -> bool:
        return played.line.clock.monotonic() < down_until

    played.line.on_cancel = lambda target: NOT_SENT if is_down() else cancelled(target)
    played.line.on_page = lambda: NOT_SENT if is_down() and len(played.line.pages) > 1 else Answer(200)
    seen, unseen = Seen(), setup.job.model_copy(update={"look": Look.NEVER, "rate": 10.0, "burst": 50})
    ended = run_in(replace(setup, job=unseen), replace(played.caller, display=seen))
    waits = [one.note for one in seen.standings if one.note.endswith("until the API is asked again")]
    assert len({*waits}) > 30, (ended.next, {one.note for one in seen.standings})


def test_a_plan_that_reads_says_how_far_it_is(tmp_path: Path) -> None:
    played, setup = ready(tmp_path / "one")
    each, seen = setup.job.model_copy(update={"look": Look.EACH, "out": None}), Seen()
    plan = plan_job(each, replace(played.caller, display=seen))
    assert plan.look is not None
    assert plan.look.requests > COUNT
    reading = [one for one in seen.standings if one.note == "reading the appointments of the plan: nothing is sent"]
    assert len(reading) >= (COUNT - 1) * 10, "nothing is silent for long"
    assert [one.done for one in reading] == sorted(one.done for one in reading)
    assert {one.total for one in reading} == {COUNT}
    assert COUNT - 1 <= reading[-1].done <= COUNT
    assert [one.sent for one in reading] == sorted(one.sent for one in reading)
    assert COUNT <= reading[-1].sent <= COUNT + 1, "a read of each, and the page of the list that came first"
    assert max(one.eta_s for one in reading) >= (COUNT - 2) * 10


@pytest.mark.parametrize("words", ["plan", "run"])
def test_a_job_that_selects_says_how_far_it_reads(tmp_path: Path, words: str) -> None:
    played, seen = Played(tmp_path), Seen()
    played.line.listed = [replace(active(Target(uuid(3))).appointment, start="2027-01-16T09:00:00Z", end=None)]  # type: ignore[type-var]
    file = tmp_path / "day.toml"
    table = '[select]\nfrom = 2027-01-16\nto = 2027-01-16\ntimezone = "UTC"\n'
    file.write_text(f'rate = "6/min"\nburst = 1\nlook = "never"\nout = "out"\n{table}')
    caller = replace(played.caller, display=seen)
    if words == "plan":
        assert plan_job(load_job(str(file)), caller).cancels == 1
    else:
        assert run_job(load_job(str(file)), caller).exit_code == 0
    found = [one for one in seen.standings if one.counts.endswith(" found")]
    assert "1 found" in {one.counts for one in found[:-1]}, "also before two readings of the list agree"
    assert len(found) >= 10, "its pages are read at the key's pace"


def test_a_run_that_waits_for_a_lock_names_its_holder(tmp_path: Path) -> None:
    played, setup = ready(tmp_path / "one")
    told, waits = CapturingLogger(), setup.job.model_copy(update={"lock_wait": 1.0})
    with locked(ledger_lock(Path(str(setup.place))), "the ledger"), pytest.raises(LockedError):
        run_in(replace(setup, job=waits, log=told), played.caller)
    waiting = [call for call in told.calls if call.args == ("lock.waiting",)]
    assert waiting[0].kwargs["what"] == "the ledger"
    assert str(os.getpid()) in waiting[0].kwargs["holder"]


def test_a_plan_reads_so_many_pages_and_says_of_how_many_rows_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account_reads.MOST_PAGES == 200
    monkeypatch.setattr(account_reads, "MOST_PAGES", 3)
    office = Office(tmp_path)
    office.line.listed = [
        Appointment(uuid(number), False, start=f"{2031 + number}-01-01T09:00:00Z") for number in range(1000)
    ]
    plan = plan_job(office.job(office.write(1000), look="auto", out=None), office.played.caller)
    assert (len(office.line.pages), len(office.line.reads)) == (3, 0)
    show_plan(Terminal(), plan, "closure.csv", runs=True)
    unseen = 1000 - 100 - 2 * 99  # a page begins with the last one of the page before
    assert f"{unseen} of them were not read; --look each reads every one." in capsys.readouterr().out


def broken_at(*numbers: int) -> Callable[[Target], Answer]:
    """Answer reads with documents, and those of some appointments with an error of the server for ever."""

    def read(target: Target) -> Answer:
        if target.appointment_id in {uuid(number) for number in numbers}:
            return said(500, "boom")
        return Answer(200, appointment=Appointment(target.appointment_id, False, start="2031-01-01T09:00:00Z"))

    return read


def test_a_row_that_cannot_be_read_is_told_in_the_plan_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(tmp_path)
    office.line.on_read = broken_at(3)
    plan = plan_job(office.job(office.write(12), look="each", out=None), office.played.caller)
    assert plan.look is not None
    assert (plan.cancels, plan.look.unseen, plan.look.unreadable) == (12, 1, 1)
    assert "to be cancelled; it could not be read: it answers 500" in {line.why for line in plan.first}
    show_plan(Terminal(), plan, "closure.csv", runs=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "1 of them could not be read (row 5: it answers 500)." in told
    assert "--look each" not in told


def test_a_row_whose_blanks_only_an_unreadable_appointment_fills_is_not_sent_and_says_why(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.line.on_read = broken_at(3)
    job = office.job(office.write(12), reason="at {start}", timezone="Europe/Berlin", look="each")
    summary = run_job(job, office.played.caller)
    assert (summary.exit_code, summary.counts["cancelled"], summary.counts["invalid"]) == (3, 11, 1)
    assert uuid(3) not in {name for _, name in office.line.posts}
    assert "which is not known for this row: it could not be read, it answers 500" in (
        tmp_path / "out" / "results.csv"
    ).read_text("utf-8")
    office.line.on_read = broken_at()
    again = run_job(job, office.played.caller)
    assert (again.exit_code, again.counts["cancelled"]) == (0, 12)


def test_many_rows_that_cannot_be_read_cost_one_request_each_and_an_api_that_is_silent_ends_the_plan(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    office.line.on_read = broken_at(*range(20))
    job = office.job(office.write(20), look="each", out=None)
    plan = plan_job(job, office.played.caller)
    assert plan.look is not None
    assert plan.look.unreadable == 20
    assert len(office.line.reads) == 5 * 5 + 15
    office.line.on_page = lambda: said(500) if office.line.reads[40:] else Answer(200)
    with pytest.raises(UnreachableError, match="list of appointments"):
        plan_job(job, office.played.caller)


def test_a_page_of_the_list_that_cannot_be_read_is_no_end_of_the_plan(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.line.on_read = broken_at()
    office.line.on_page = lambda: said(500) if len(office.line.pages) <= 5 else Answer(200)
    plan = plan_job(office.job(office.write(12), look="each", out=None), office.played.caller)
    assert plan.look is not None
    assert (plan.cancels, plan.look.unseen, len(office.line.reads)) == (12, 0, 12)
