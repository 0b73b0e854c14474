"""The job file that takes a file per day."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bulk_cancel.settings.job import load_job
from support.schedules import ROOT, is_unattended


def test_the_job_of_the_day_loads_and_runs_unattended() -> None:
    job = load_job(str(ROOT / "jobs/closures.toml"), {})
    assert is_unattended(job)
    assert job.input.endswith(f"jobs/closures/{datetime.now(ZoneInfo('Europe/Berlin')):%Y-%m-%d}.csv")
    assert (job.missing_input, str(job.deadline), job.name) == ("ok", "18:00", "closures")
