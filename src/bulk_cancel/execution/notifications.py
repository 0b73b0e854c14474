"""Runs a job and tells those who do not watch: metrics in a file, notifications. Neither changes how the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bulk_cancel.access.ledgers import ledger_place
from bulk_cancel.core.model import Status
from bulk_cancel.errors import BulkCancelError, Exit, InputError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.ops.metrics import write_metrics
from bulk_cancel.ops.notice import RunEnding
from bulk_cancel.ops.notify import Notifier
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.environment import api_url
from bulk_cancel.settings.job import Job

_BUG = "A bug of bulk-cancel: see its log, and report it."


def send_notice(job: Job, caller: Caller, notifier: Notifier | None, ending: RunEnding) -> None:
    if job.metrics_file is not None:
        known = replace(ending, unknown_open=_unknown_open(job, caller.environ))
        write_metrics(job.metrics_file, known, caller.log)
    if notifier is not None and ending.occasions & {*job.notify_on}:
        notifier.tell(ending, caller.log)


def notice_of_end(job: Job, summary: Summary) -> RunEnding:
    code = Exit(summary.exit_code)
    return RunEnding(
        job=job.name,
        exit_code=code,
        sentence=_BUG if code is Exit.BUG else summary.next,
        elapsed_s=summary.elapsed_s,
        run_id=summary.run_id,
        out=str(Path(summary.out).resolve()) if summary.out else "",
        counts={status.value: summary.counts.get(status, 0) for status in Status},
        requests={"cancel": summary.requests.posts, "read": summary.requests.gets},
        throttled=summary.requests.throttled,
    )


def notice_of_failure(job: Job, error: Exception, elapsed_s: float) -> RunEnding:
    code = error.exit_code if isinstance(error, BulkCancelError) else Exit.BUG
    return RunEnding(job=job.name, exit_code=code, sentence=_why(error), elapsed_s=elapsed_s)


def _why(error: Exception) -> str:
    """What an input's error quotes, and any bug's message, may be of a person."""
    if isinstance(error, InputError):
        return f"The input cannot be used: see the log, or type: bulk-cancel plan. Exit {int(error.exit_code)}."
    return f"{error} {error.advice}".strip() if isinstance(error, BulkCancelError) else _BUG


def _unknown_open(job: Job, environ: Mapping[str, str]) -> int | None:
    """Ask the ledger; no run fails for want of an answer."""
    with suppress(BulkCancelError):
        place = ledger_place(job.ledger, api_url(environ))
        if not place.exists():
            return 0
        with place.reading() as ledger:
            return ledger.unknown_count()
    return None
