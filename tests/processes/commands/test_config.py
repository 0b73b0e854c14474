"""`config show`: each setting, its value, where it came from; nothing that must stay secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bulk_cancel.access.machine import Machine
from bulk_cancel.access.setup import set_up
from bulk_cancel.commands.config import Origin, settings_shown
from bulk_cancel.ops.logs import make_log
from bulk_cancel.sandbox.credentials import PLATFORM_KEY
from bulk_cancel.settings.job import Job, load_job
from support.shell import Shell

LOG = make_log(quiet=True)
SECRET = "rgo-0123456789abcdef"
JOB = """
input = "a.csv"
burst = 7
concurrency = 3
send_window = "08:00-20:00 Europe/Berlin"
reason = "Write to office@example.com"
"""


def test_where_each_setting_comes_from(shell: Shell, write: Callable[..., Path]) -> None:
    write("job.toml", JOB)
    environ = {"BULK_CANCEL_BURST": "8", "MEETERGO_TIMEOUT_MS": "1500", "MEETERGO_TOKEN": SECRET}
    result = shell("config", "show", "job.toml", "--rate", "120/min", "--json", **environ)
    assert result.code == 0, result.stderr
    assert result.summary["schema_version"] == 1
    found: dict[str, dict[str, Any]] = result.summary["settings"]
    assert found["rate"] == {"value": 2.0, "from": "flag", "where": "--rate", "unit": "/s"}
    assert found["burst"] == {"value": 8, "from": "environment", "where": "BULK_CANCEL_BURST"}
    assert found["timeout"] == {"value": 1.5, "from": "environment", "where": "MEETERGO_TIMEOUT_MS", "unit": "s"}
    assert found["concurrency"] == {"value": 3, "from": "job file", "where": "job.toml"}
    assert found["send_window"]["value"] == "08:00-20:00 Europe/Berlin"
    assert found["max_attempts"] == {"value": 5, "from": "default", "where": None}
    assert found["credential"]["from"] == "environment"
    assert "fingerprint" in found["credential"]["value"]
    assert found["ledger_file"]["value"].endswith(".db")
    assert SECRET not in result.stdout
    assert "office@example.com" not in result.stdout


def test_every_setting_is_shown_to_a_person(shell: Shell, write: Callable[..., Path]) -> None:
    write("job.toml", JOB)
    result = shell("config", "show", "job.toml", "--max-errors", "5%", MEETERGO_TOKEN=PLATFORM_KEY)
    assert result.code == 0, result.stderr
    for name, field in Job.model_fields.items():
        assert f"\n{field.alias or name} " in result.stdout, name
    assert "Platform API key" in result.stdout
    assert PLATFORM_KEY not in result.stdout
    assert "--max-errors" in result.stdout


def test_config_show_shows_what_a_run_uses(write: Callable[..., Path], shell: Shell) -> None:
    file = write("job.toml", JOB)
    flags = {"rate": "3/s", "yes": None, "wait": False}
    job = load_job(str(file), flags)
    told = {item.name: item for item in settings_shown(set_up(job, LOG, Machine({})), str(file), flags)}
    assert (told["rate"].value, told["wait"].origin, told["yes"].origin) == (job.rate, Origin.FLAG, Origin.DEFAULT)
    assert told["input"].value == job.input
    assert told["input"].origin is Origin.JOB_FILE
    argument = {
        item.name: item for item in settings_shown(set_up(load_job("a.csv", {}), LOG, Machine({})), "a.csv", {})
    }
    assert (argument["input"].value, argument["input"].origin) == ("a.csv", Origin.ARGUMENT)


def test_config_show_shows_a_search_and_refuses_wrong_settings(shell: Shell, write: Callable[..., Path]) -> None:
    write("find.toml", '[select]\nfrom = 2026-12-01\nto = 2026-12-02\ntimezone = "Europe/Berlin"\n')
    shown = shell("config", "show", "find.toml", "--json").summary["settings"]["select"]
    assert (shown["value"]["from"], shown["from"]) == ("2026-12-01", "job file")
    assert "2026-12-01" in shell("config", "show", "find.toml").stdout
    wrong = shell("config", "show", "a.csv", "--rate", "fast", "--json")
    assert wrong.code == wrong.summary["exit_code"] == 2
    assert shell("config", "show", "none.toml").code == 66
