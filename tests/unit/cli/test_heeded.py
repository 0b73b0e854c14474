"""The table of options is what the commands do: the settings that they read while they work are recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.cli.options import JOB_OPTIONS
from bulk_cancel.engine.context import Limits
from bulk_cancel.sandbox.server import Sandbox
from bulk_cancel.settings.job import Job
from support.find import SPRING, Result, of_owner
from support.find import command as command
from support.find import environ as environ
from support.find import sandbox as sandbox
from support.find import server as server
from support.patience import impatient as impatient

pytestmark = pytest.mark.usefixtures("impatient")
QUICK = ("--rate", "500/s", "--burst", "500", "--timeout", "2s")
FIELDS = {name: field.alias or name for name, field in Job.model_fields.items()}
#: A run hands these on in an object of their own; what counts is who reads them there.
LIMITS = {
    "settle_s": "settle",
    "late_within_s": "late_within",
    "window": "send_window",
    "stop_outside": "outside_window",
}
_ONE_LINE, _CONTACTS = "one line reads the pages", "contacts are read, and none is kept"
#: Read by a command although its outcome does not depend on them.
READ_IN_VAIN = {
    "plan": {"rebooking_list": _CONTACTS, "concurrency": _ONE_LINE, "engine": "whose credential is told"},
    "reconcile": {
        "account": "it has to be in the accounts file",
        "rebooking_list": _CONTACTS,
        "excel": "no files",
        "ticket": "it has no option for them, and a job file is none of its inputs",
        "approved_by": "likewise",
    },
    "find": {"rebooking_list": _CONTACTS, "concurrency": _ONE_LINE},
}
#: Heeded, but not in what is done here.
ELSEWHERE = {
    "run": {
        "chunk": "with --engine dbos",
        "notify_on": "with addresses to notify",
        "max_errors": "when the API refuses",
        "max_attempts": "when a send proved not to be applied",
        "missing_input": "without an input",
    },
    "plan": {"missing_input": "without an input"},
    "reconcile": {},
    "find": {},
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The settings that somebody read: not those who check a job, and not those who only hand it on."""
    seen: set[str] = set()
    of_job, of_limits = Job.__getattribute__, Limits.__getattribute__

    def job(self: Job, name: str) -> Any:
        reader = sys._getframe(1).f_code
        checks = reader.co_filename.endswith("settings/job.py") and reader.co_name not in ("zone", "pace", "label")
        if name in FIELDS and not checks and reader.co_name != "limits_of":
            seen.add(FIELDS[name])
        return of_job(self, name)

    def limits(self: Limits, name: str) -> Any:
        seen.add(LIMITS.get(name, name))
        return of_limits(self, name)

    monkeypatch.setattr(Job, "__getattribute__", job)
    monkeypatch.setattr(Limits, "__getattribute__", limits)
    return seen


@pytest.fixture
def rows(sandbox: Sandbox, environ: dict[str, str]) -> list[str]:
    """An input of three appointments that can be cancelled."""
    ids = [
        one.id
        for one in sandbox.world.appointments.values()
        if of_owner(one) and one.cancellation is None and not one.group
    ]
    Path("a.csv").write_text("\n".join(["id", *ids[:3]]), encoding="utf-8")
    return ids[:3]


def owned(command: str) -> set[str]:
    return {option.name for option in JOB_OPTIONS if command in option.commands}


def check(command: str, read: set[str]) -> None:
    heeded = (read & set(FIELDS.values())) - READ_IN_VAIN.get(command, {}).keys() - {"input", "select", "notify"}
    assert sorted(heeded - owned(command)) == []
    assert owned(command) - heeded == ELSEWHERE[command].keys()


def test_find_reads_only_the_settings_of_its_options(command: Callable[..., Result], read: set[str]) -> None:
    words = ("--from", SPRING, "--to", SPRING + timedelta(days=1), "--timezone", "Europe/Berlin")
    assert command("find", *map(str, words), *QUICK, "-o", "a.csv", "--json").code == 0
    check("find", read)


@pytest.mark.process
def test_run_reconcile_and_plan_read_only_the_settings_of_their_options(
    command: Callable[..., Result], sandbox: Sandbox, rows: list[str], read: set[str]
) -> None:
    sandbox.set_faults(f"cut-before@{rows[0]}")
    words = ("--yes", *QUICK, "--settle", "1s", "--no-skip-past", "--look", "each", "--out", "out")
    assert command("run", "a.csv", *words).code == 4
    check("run", read)

    read.clear()
    assert command("reconcile", *QUICK, "--settle", "1s", "--wait").code == 5
    check("reconcile", read)

    read.clear()
    plan = (
        "plan",
        "a.csv",
        "--look",
        "each",
        "--retry-refused",
        "-o",
        "a.plan",
        "--out",
        "audit",
        "--no-skip-past",
        *QUICK,
    )
    assert command(*plan).code == 0
    assert command("plan", "a.plan", "--json").code == 0
    check("plan", read)


@pytest.mark.process
def test_a_reconcile_that_waits_settles_what_one_that_does_not_leaves(
    command: Callable[..., Result], sandbox: Sandbox, rows: list[str]
) -> None:
    sandbox.set_faults(f"cut-before@{rows[0]}")
    assert command("run", "a.csv", "--yes", *QUICK, "--settle", "3s", "--no-skip-past").code == 4
    assert command("reconcile", *QUICK, "--settle", "3s").code == 4
    assert command("reconcile", *QUICK, "--settle", "3s", "--wait").code == 5
