"""The systemd units: what they promise, and what systemd itself says of them."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from bulk_cancel.core.units import parse_duration
from bulk_cancel.settings.credentials import SYSTEMD_NAME
from support.schedules import DRAIN_S, SCHEDULE, is_unattended, job_of

UNITS = ("bulk-cancel.service", "bulk-cancel.timer", "bulk-cancel-failed@.service", "bulk-cancel-worker@.service")


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(delimiters="=", comment_prefixes="#", strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read_string((SCHEDULE / name).read_text(encoding="utf-8"))
    return parser


def test_the_service_runs_the_job_once_and_unattended() -> None:
    service = unit("bulk-cancel.service")["Service"]
    assert service["Type"] == "oneshot"
    assert is_unattended(job_of(shlex.split(service["ExecStart"])))
    assert service["LoadCredential"].split(":")[0] == SYSTEMD_NAME
    assert service["Environment"] == f"XDG_STATE_HOME=%S/{service['StateDirectory']}"
    assert "SuccessExitStatus" not in service, "3, 4 and 5 are for somebody to look at"


def test_it_is_given_the_time_to_drain() -> None:
    service = unit("bulk-cancel.service")["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert parse_duration(service["TimeoutStopSec"]) >= DRAIN_S
    assert service["TimeoutStartSec"] == "infinity", "a oneshot counts as starting for as long as it runs"


def test_a_failure_starts_the_unit_that_tells() -> None:
    template = unit("bulk-cancel.service")["Unit"]["OnFailure"]
    assert (SCHEDULE / template.replace("%n", "")).exists()


def test_the_timer_catches_up_a_missed_start() -> None:
    timer = unit("bulk-cancel.timer")
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for name in UNITS:
        text = (SCHEDULE / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/usr/local/bin/bulk-cancel", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / name for name in UNITS)], capture_output=True, text=True, timeout=60
    )
    mine = [line for line in verified.stderr.splitlines() if str(tmp_path) in line or "bulk-cancel" in line]
    assert (verified.returncode, mine) == (0, [])
