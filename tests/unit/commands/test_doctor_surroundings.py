"""What a run would refuse before it begins, `doctor` says first."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from pydantic import SecretStr

from bulk_cancel.commands.doctor.check import Check, Level
from bulk_cancel.commands.doctor.settings import check_input
from bulk_cancel.commands.doctor.surroundings import check_surroundings
from bulk_cancel.errors import Exit
from bulk_cancel.settings.job import Job


def checks(accounts: int = 0, **given: object) -> dict[str, Check]:
    job = Job(input="a.csv").model_copy(update=given)
    return {check.name: check for check in check_surroundings(job, accounts)}


@pytest.mark.filterwarnings("ignore:.*imghdr:DeprecationWarning")  # of what apprise imports
def test_doctor_finds_an_address_of_an_unknown_kind() -> None:
    known = SecretStr("json://127.0.0.1:9/secret")
    assert checks(notify=(known,))["notifications"].level is Level.OK
    check = checks(notify=(known, SecretStr("nonsense://s3cret")))["notifications"]
    assert (check.level, check.exit_code) == (Level.FAIL, Exit.CONFIG)
    assert "Address 2" in check.found
    assert "s3cret" not in check.found + check.advice


def test_a_folder_for_metrics_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    assert checks(metrics_file=tmp_path / "a.prom")["metrics"].level is Level.OK
    check = checks(metrics_file=tmp_path / "gone" / "a.prom")["metrics"]
    assert (check.level, check.exit_code) == (Level.WARN, Exit.OK)
    assert str(tmp_path / "gone") in check.found


def test_a_folder_of_parquet_files_is_an_input_and_what_a_run_would_refuse_in_it_is_named(tmp_path: Path) -> None:
    job = Job(input=str(tmp_path))
    assert (check_input(job).level, check_input(job).exit_code) == (Level.FAIL, Exit.BAD_INPUT)
    (tmp_path / "a.PARQUET").touch()
    assert (check_input(job).level, check_input(job).found) == (Level.OK, f"{tmp_path} is there, 1 Parquet file.")
    (tmp_path / "b.csv").touch()
    check = check_input(job)
    assert (check.level, check.exit_code) == (Level.FAIL, Exit.BAD_INPUT)
    assert '"b.csv" in this folder' in check.found
    assert "alone into a folder" in check.advice


def test_too_few_open_files_for_the_connections_of_all_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 4096))
    assert checks(concurrency=16)["open files"].level is Level.OK
    check = checks(accounts=3, concurrency=16)["open files"]
    assert check.level is Level.WARN
    assert "ulimit -n 112" in check.advice


def test_nothing_is_said_of_what_the_job_does_not_want() -> None:
    assert {*checks()} == {"open files"}
