"""The crontab: its fields, and that its command is one."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.cli.main import app
from support.schedules import SCHEDULE, is_unattended, job_of

LINES = [
    line for line in (SCHEDULE / "crontab").read_text(encoding="utf-8").splitlines() if line and line[:1] not in "# "
]
VARIABLES = [line for line in LINES if re.match(r"[A-Z_]+=", line)]
(TICK,) = (line for line in LINES if line not in VARIABLES)
#: A line that a person completes and uncomments.
(HOURLY,) = (
    line[1:] for line in (SCHEDULE / "crontab").read_text(encoding="utf-8").splitlines() if line.startswith("#5 ")
)
#: minute, hour, day of month, month, day of week
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@pytest.mark.parametrize("tick", [TICK, HOURLY])
def test_the_fields_are_in_their_ranges(tick: str) -> None:
    fields = tick.split(None, 5)[:5]
    for text, (least, most) in zip(fields, RANGES, strict=True):
        match = re.fullmatch(r"\*|\d+", text)
        assert match, text
        assert text == "*" or least <= int(text) <= most


def command() -> str:
    return TICK.split(None, 5)[5]


def words_of_run() -> list[str]:
    return shlex.split(command().rpartition("&& ")[2].partition(" || ")[0])


def test_the_command_is_understood_by_cron_and_by_bulk_cancel() -> None:
    assert "%" not in command(), "cron would end the line there"
    assert is_unattended(job_of(words_of_run()))
    assert {line.partition("=")[0] for line in VARIABLES} == {"MAILTO", "SHELL", "PATH", "XDG_STATE_HOME"}


def test_the_hourly_look_is_understood_and_quiet() -> None:
    words = shlex.split(HOURLY.split(None, 5)[5].rpartition("exec ")[2])
    assert "%" not in HOURLY
    group: Any = app
    context = group.make_context("bulk-cancel", words[1:], resilient_parsing=False)
    name, inner, rest = group.resolve_command(context, words[1:])
    given = inner.make_context(name, rest, parent=context).params
    assert (name, given["quiet"], given["lock_wait"], given["all_hosts"]) == ("closed", True, "30m", True)
    assert given["from"] == given["to"] == "2026-12-24"


def test_cron_and_systemd_use_one_ledger_and_one_place_for_locks() -> None:
    """Two ledgers would not know what the other has sent, and two places not who holds the credential."""
    unit = (SCHEDULE / "bulk-cancel.service").read_text(encoding="utf-8")
    (started,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    by_cron = job_of(words_of_run()).ledger
    assert by_cron == job_of(shlex.split(started)).ledger == "/var/lib/bulk-cancel/ledger.db"
    assert f"--ledger {by_cron}" in HOURLY
    assert "XDG_STATE_HOME=/var/lib/bulk-cancel" in VARIABLES
    assert "Environment=XDG_STATE_HOME=%S/bulk-cancel" in unit, "%S is /var/lib"


def printed_by_a_tick(folder: Path, script: str) -> str:
    (folder / "environment").write_text("MEETERGO_TOKEN_FILE=/some/file\nBULK_CANCEL_NOTIFY='json://a/ json://b/'\n")
    (folder / "bulk-cancel").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bulk-cancel").chmod(0o700)
    line = command().replace("/etc/bulk-cancel/environment", str(folder / "environment"))
    line = line.replace("/var/lib/bulk-cancel", str(folder))
    environ = {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", line], env=environ, capture_output=True, text=True, check=True).stdout


def test_the_shell_reads_the_environment_file(tmp_path: Path) -> None:
    printed = printed_by_a_tick(tmp_path, 'echo "$MEETERGO_TOKEN_FILE|$BULK_CANCEL_NOTIFY|$PWD|$*"')
    token, notify, folder, words = printed.strip().split("|")
    assert (token, notify, folder) == ("/some/file", "json://a/ json://b/", str(tmp_path))
    assert words.startswith("run /etc/bulk-cancel/nightly.toml")


@pytest.mark.parametrize(("code", "mailed"), [(0, ""), (77, "exit 77\n")])
def test_the_mail_ends_with_the_exit_code_unless_that_is_0(tmp_path: Path, code: int, mailed: str) -> None:
    assert printed_by_a_tick(tmp_path, f"exit {code}") == mailed


@pytest.mark.parametrize("name", ["crontab", "cronjob.yaml", "bulk-cancel.service"])
def test_no_schedule_holds_a_credential(name: str) -> None:
    assert not re.search(r"(?<!meete)rgo-\w|ak_live|://[^ ]*@", (SCHEDULE / name).read_text(encoding="utf-8"))
