"""Checks notifications, metrics, workbooks, and the limit of open files."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from bulk_cancel.commands.doctor.check import Check, failed, good, warning
from bulk_cancel.core.text import counted
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ops.metrics import require_metrics
from bulk_cancel.ops.notify import Notifier
from bulk_cancel.reports.workbook import require_excel
from bulk_cancel.settings.job import Job

#: Files and sockets besides the connections: the ledger's, the input's, the results'.
_OTHERS = 64


def check_surroundings(job: Job, account_count: int) -> Iterator[Check]:
    """Check the notifications, the metrics, the workbook, and the limit of open files."""
    if job.notify:
        yield _check_notify(job)
    if job.metrics_file is not None:
        yield _check_metrics(job.metrics_file)
    if job.excel:
        yield _check_excel()
    yield _check_descriptors(job.concurrency * max(1, account_count) + _OTHERS)


def _check_notify(job: Job) -> Check:
    try:
        Notifier([address.get_secret_value() for address in job.notify])
    except BulkCancelError as error:
        return failed("notifications", error)
    return good("notifications", f"{counted(len(job.notify), 'address is', 'addresses are')} of a known kind.")


def _check_metrics(path: Path) -> Check:
    try:
        require_metrics()
    except BulkCancelError as error:
        return failed("metrics", error)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        what = f"The folder {path.parent} is not there, or may not be written: a run goes on without its metrics."
        return warning("metrics", what, "Make the folder, or name another file with --metrics-file.")
    return good("metrics", f"They go to {path}.")


def _check_excel() -> Check:
    try:
        require_excel()
    except BulkCancelError as error:
        return failed("workbook", error)
    return good("workbook", "Workbooks can be written.")


def _check_descriptors(needed: int) -> Check:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= allowed < needed:
        what = f"At most {allowed:,} files and connections may be open at once, and a run may need {needed:,}."
        return warning("open files", what, f"Type: ulimit -n {needed}   or lower --concurrency.")
    return good("open files", f"A run needs at most {needed:,} at once, which is allowed.")
