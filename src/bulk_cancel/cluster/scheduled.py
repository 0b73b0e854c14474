"""Jobs on a schedule: at each tick one of the workers stages the job's input and hands it out. One run per tick.

Never two at once: a tick finds out, under a lock of its job, whether the run before it has ended, and does nothing
when it has not, or when a newer tick waits already. The lock is of a database session: it ends with a worker that dies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from bulk_cancel.carrying import Parts
from bulk_cancel.cluster.queue import RUNS, START_RUN, Queue
from bulk_cancel.cluster.turns import run_at_work
from bulk_cancel.errors import BulkCancelError, ConfigError, LockedError, UsageError
from bulk_cancel.job import Job, load_job
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ops.stopping import Stop
from bulk_cancel.wiring import run_job

_PREFIX = "job-"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job is run. `job` is a job file that every worker has under this name."""

    name: str
    job: str
    cron: str
    zone: str


def schedule_of(source: str, cron: str, zone: str, url: str) -> Schedule:
    """Check what is to be scheduled. Raises ConfigError, UsageError, InputMissingError."""
    if not source.endswith(".toml"):
        raise UsageError("A schedule runs a job file.", advice="Name a file that ends with .toml, see jobs/.")
    path = Path(source).resolve()
    _job(str(path), url)
    return Schedule(re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem), str(path), cron, zone)


def add(queue: Queue, wanted: Schedule) -> None:
    """Put it on the queue's calendar, in the place of one with the same name. Raises UsageError for a wrong time."""
    queue_name = f"{RUNS}-{wanted.name}"
    queue.client.register_queue(queue_name, global_concurrency=1)
    remove(queue, wanted.name)
    try:
        queue.client.create_schedule(
            schedule_name=_PREFIX + wanted.name,
            workflow_name=START_RUN,
            schedule=wanted.cron,
            context={"job": wanted.job},
            cron_timezone=wanted.zone,
            queue_name=queue_name,
        )
    except Exception as error:
        raise UsageError(
            f"The schedule cannot be made: {error}.", advice='Write for example --cron "0 6 * * *"'
        ) from error


def listed(queue: Queue) -> Iterator[Schedule]:
    """Return all schedules, by name."""
    for found in sorted(queue.client.list_schedules(workflow_name=START_RUN), key=lambda one: one["schedule_name"]):
        name, zone = found["schedule_name"].removeprefix(_PREFIX), found.get("cron_timezone") or "UTC"
        yield Schedule(name, str((found["context"] or {}).get("job", "")), found["schedule"], zone)


def remove(queue: Queue, name: str) -> bool:
    """Take a schedule off the calendar; tell whether there was one. What is at work goes on."""
    known = any(one.name == name for one in listed(queue))
    if known:
        queue.client.delete_schedule(_PREFIX + name)
    return known


def start_run(url: str, queue: Queue, tick: str, context: Mapping[str, str], parts: Parts) -> None:
    """Stage and hand out the run of a tick, unless it must not be. Raises what beginning a run raises."""
    job = _job(context["job"], url)
    with closing(PostgresLedger.open(url, f"schedule {job.name}")) as ledger:
        why = _why_not(ledger, queue, job, tick)
        if why:
            parts.log.warning("schedule.skipped", job=job.name, tick=tick, why=why)
            return
        stop = Stop()
        stop.request()  # nobody watches it
        try:
            summary = run_job(job, replace(parts, stop=stop))
        except LockedError as error:
            parts.log.warning("schedule.skipped", job=job.name, tick=tick, why=str(error))
            return
        except BulkCancelError as error:
            parts.log.error("schedule.failed", job=job.name, tick=tick, error=str(error), advice=error.advice)
            return
        parts.log.info("schedule.started", job=job.name, tick=tick, run_id=summary.run_id, rows=summary.rows)


def _why_not(ledger: PostgresLedger, queue: Queue, job: Job, tick: str) -> str:
    if not ledger.hold_name(f"job {job.label}"):
        return "another worker is at it"
    if queue.is_newer_waiting(tick):
        return "a newer tick waits"
    running = run_at_work(ledger)
    return f"run {running} is still at work" if running else ""


def _job(path: str, url: str) -> Job:
    job = load_job(path, {"engine": "dbos", "ledger": url, "yes": True, "quiet": True})
    if not Path(path).is_absolute():
        raise ConfigError(f"The job file {path} has to be named from the root.")
    return job
