"""Metrics and notifications of a run. Neither changes how the run ends."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from bulk_cancel.access.setup import Setup
from bulk_cancel.core.model import Status
from bulk_cancel.errors import BulkCancelError, Exit, InputError
from bulk_cancel.ops.metrics import write_metrics
from bulk_cancel.ops.notice import RunEnding
from bulk_cancel.ops.notify import Notifier
from bulk_cancel.reports.summary import Requests, Summary
from bulk_cancel.settings.job import Job

_BUG = "A bug of bulk-cancel: see its log, and report it."


def send_notice(job: Job, log: FilteringBoundLogger, notifier: Notifier | None, ending: RunEnding) -> None:
    """Write the metrics and notify the addresses that the job names."""
    if job.metrics_file is not None:
        write_metrics(job.metrics_file, ending, log)
    if notifier is not None and ending.occasions & {*job.notify_on}:
        notifier.tell(ending, log)


def notice_of_end(setup: Setup, summary: Summary) -> RunEnding:
    """Return the notice of a run that ended."""
    code, requests = Exit(summary.exit_code), summary.requests or Requests()
    return RunEnding(
        job=setup.job.name,
        exit_code=code,
        sentence=_BUG if code is Exit.BUG else " ".join(summary.next.splitlines()),
        elapsed_s=summary.elapsed_s,
        run_id=summary.run_id,
        out=str(Path(summary.out).resolve()) if summary.out else "",
        counts={status.value: summary.counts.get(status, 0) for status in Status},
        requests={"cancel": requests.posts, "read": requests.gets},
        throttled=requests.throttled,
        unknown_open=_unknown_open(setup),
    )


def notice_of_failure(job: Job, setup: Setup | None, error: Exception, elapsed_s: float) -> RunEnding:
    """Return the notice of a run that never began; `setup` is None when making it failed."""
    code = error.exit_code if isinstance(error, BulkCancelError) else Exit.BUG
    return RunEnding(
        job=job.name, exit_code=code, sentence=_why(error), elapsed_s=elapsed_s, unknown_open=_unknown_open(setup)
    )


def _why(error: Exception) -> str:
    """Return the cause, without the messages of input errors and bugs, which may quote data of people."""
    if isinstance(error, InputError):
        return f"The input cannot be used: see the log, or type: bulk-cancel plan. Exit {int(error.exit_code)}."
    return f"{error} {error.advice}".strip() if isinstance(error, BulkCancelError) else _BUG


def _unknown_open(setup: Setup | None) -> int | None:
    """Return the number of unknown outcomes for the metrics; None when the ledger cannot be read."""
    if setup is None or setup.job.metrics_file is None:
        return None
    with suppress(BulkCancelError):
        if not setup.place.exists():
            return 0
        with setup.place.reading() as ledger:
            return ledger.unknown_count()
    return None
