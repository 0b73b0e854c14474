"""A whole run on a machine that is played: virtual time, a scripted API, neither threads nor signals."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.commands.run import prepare, run_in
from bulk_cancel.engine.runner import Runner
from bulk_cancel.execution.execute import RunFacts, contexts_of, execute
from bulk_cancel.execution.finish import conclude
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import load_job
from support.plans import uuid
from support.played import LOG, Played
from support.scripted import ScriptedLine

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
