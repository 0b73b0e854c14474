"""Somebody who types commands in a folder, on a machine that is played."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.commands.reconcile import reconcile_ledger
from bulk_cancel.commands.report import ReportWish, report_run
from bulk_cancel.commands.run import run_job
from bulk_cancel.commands.status import look_over
from bulk_cancel.core.model import Answer, Target
from bulk_cancel.execution.caller import Caller
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import Job, load_job
from support.plans import uuid
from support.played import LOG, Played
from support.scripted import active, cancelled


class Office:
    """Somebody who types commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.played = Played(folder)
        self.line = self.played.line
        self.line.on_read = self.truth

    def truth(self, target: Target) -> Answer:
        """What was sent is cancelled."""
        return (cancelled if target.appointment_id in {name for _, name in self.line.posts} else active)(target)

    def write(self, count: int) -> Path:
        source = self.folder / "closure.csv"
        source.write_text("id\n" + "\n".join(uuid(number) for number in range(count)) + "\n", encoding="utf-8")
        return source

    def job(self, source: Path | str, **flags: Any) -> Job:
        defaults = {"out": str(self.folder / "out"), "concurrency": 2, "look": "never"}
        return load_job(str(source), {**defaults, **flags})

    def setup(self) -> Setup:
        return set_up(self.job("-"), LOG, self.played.machine)

    def run(self, source: Path | str, **flags: Any) -> Summary:
        return run_job(self.job(source, **flags), self.played.caller)

    def reconcile(self) -> Summary:
        return reconcile_ledger(load_job("-", {}), self.played.caller)

    def typing(self, *words: str) -> Caller:
        """Return the caller of a command line with these words."""
        caller = self.played.caller
        return replace(caller, machine=replace(caller.machine, arguments=words, user="ada", name="pc-7"))

    def status(self) -> str:
        return look_over(self.setup().place, self.played.machine, 5).next

    def report_into(self, run_id: str, folder: Path) -> None:
        report_run(self.setup().place, self.played.machine, run_id, ReportWish(out=folder))

    def report(self) -> str:
        report_run(self.setup().place, self.played.machine, "", ReportWish())
        return (self.folder / "out" / "report.html").read_text(encoding="utf-8")
