"""The job files that come along, and where settings come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.cli.options import JOB_OPTIONS
from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.job import Job, load_job
from support.shell import Shell

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["office_closure", "nightly", "audit"])
def test_every_job_file_loads_and_plans(name: str, shell: Shell) -> None:
    file = ROOT / "jobs" / f"{name}.toml"
    job = load_job(str(file), {})
    assert Path(job.input).exists()
    planned = shell("plan", file)
    assert planned.code in (0, 3), planned.stderr
    assert "#" in file.read_text(), "commented for the person who edits it"


def test_the_audit_job_sends_nothing(shell: Shell) -> None:
    result = shell("run", ROOT / "jobs/audit.toml")
    assert result.summary["rows"] == 57
    assert not (shell.folder / "runs").exists()


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "job.toml"
    file.write_text('input = "a.csv"\nrate = "1/s"\nburst = 7\nconcurrency = 3\n')
    monkeypatch.setenv("BULK_CANCEL_RATE", "2/s")
    monkeypatch.setenv("BULK_CANCEL_BURST", "8")
    job = load_job(str(file), {"rate": "3/s", "burst": None})
    assert (job.rate, job.burst, job.concurrency, job.max_attempts) == (3.0, 8, 3, 5)


def test_a_variable_without_our_prefix_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSON", "1")
    monkeypatch.setenv("USER_ID", "00000000-0000-4000-8000-000000000000")
    job = load_job("a.csv", {})
    assert (job.json_, job.user_id) == (False, None)
    monkeypatch.setenv("BULK_CANCEL_JSON", "1")
    assert load_job("a.csv", {}).json_


def test_paths_of_a_job_file_are_relative_to_it(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text('input = "in/a.csv"\nledger = "l.db"\nout = "out"\n')
    job = load_job(str(file), {"out": "elsewhere"})
    assert job.input == str(tmp_path / "in/a.csv")
    assert job.ledger == str(tmp_path / "l.db")
    assert job.out == Path("elsewhere")


@pytest.mark.parametrize("variable", ["BULK_CANCEL_LEDGER", "bulk_cancel_ledger"])
def test_a_path_of_the_environment_is_not_relative_to_the_job_file(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "job.toml"
    file.write_text('input = "a.csv"\nledger = "l.db"\n')
    monkeypatch.setenv(variable, "other.db")
    assert load_job(str(file)).ledger == "other.db"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('input = "a"\nreasn = "x"', "reasn: there is no such setting"),
        ('input = "a"\nrate = "soon"', 'rate: "soon" is not a rate'),
        ('input = "a"\nsettle = "later"', 'settle: "later" is not a duration'),
        ('input = "a"\nburst = 0', "burst"),
        (f'input = "a"\nreason = "{"x" * 501}"', "reason"),
        ("input = ", "not a readable TOML file"),
        ('reason = "x"', "input"),
        ('input = "a"\n[map]\nnonsense = "x"', "map"),
    ],
)
def test_a_wrong_job_file_says_what_is_wrong(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_job(str(file), {})
    assert complaint in str(caught.value)
    assert caught.value.exit_code == 78


def test_every_setting_has_an_option_and_the_other_way_round() -> None:
    no_options = {"input", "select"} | {"notify"}  # with passwords in it: everybody sees a command line
    settings = {field.alias or name for name, field in Job.model_fields.items()} - no_options
    assert {option.name for option in JOB_OPTIONS} == settings
