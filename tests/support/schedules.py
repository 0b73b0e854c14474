"""What the three schedules have in common: a command line, a drain, and a job file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bulk_cancel.cli.main import app
from bulk_cancel.ops.notify import LONGEST_S
from bulk_cancel.settings.job import Job, load_job

ROOT = Path(__file__).resolve().parents[2]
SCHEDULE = ROOT / "jobs" / "schedule"
#: What a stopped run may take: the exchanges in flight, then the notifications; and as much again for a slow disk.
DRAIN_S = 1.5 * (Job.model_fields["timeout"].default + LONGEST_S)


def job_of(command: Sequence[str]) -> Job:
    """Parse a scheduled command with the real command line, and load its job file as it stands in jobs/."""
    assert Path(command[0]).name == "bulk-cancel"
    group: Any = app
    context = group.make_context("bulk-cancel", list(command[1:]), resilient_parsing=False)
    name, inner, words = group.resolve_command(context, list(command[1:]))
    assert name == "run"
    parameters = inner.make_context(name, words, parent=context).params
    source = Path(parameters.pop("source"))
    assert source.parent == Path("/etc/bulk-cancel")
    return load_job(str(ROOT / "jobs" / source.name), parameters)


def is_unattended(job: Job) -> bool:
    """Whether it asks nobody, is quiet, and waits for the run of an earlier tick."""
    return job.yes and job.quiet and job.lock_wait >= 1800
