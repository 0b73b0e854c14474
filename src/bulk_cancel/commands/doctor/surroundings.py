"""Checks notifications, metrics, workbooks, and the limit of open files."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from bulk_cancel.commands.doctor.check import Check, Level, good, tried, warning
from bulk_cancel.core.text import counted
from bulk_cancel.ops.metrics import require_metrics
from bulk_cancel.ops.notify import Notifier
from bulk_cancel.reports.workbook import require_excel
from bulk_cancel.settings.job import Job

#: Files and sockets besides the connections: the ledger's, the input's, the results'.
_OTHERS = 64


def check_surroundings(job: Job, account_count: int) -> Iterator[Check]:
    """Check the notifications, the metrics, the workbook, and the limit of open files."""
    if job.notify:
        known = f"{counted(len(job.notify), 'address is', 'addresses are')} of a known kind."
        yield tried("notifications", lambda: Notifier([address.get_secret_value() for address in job.notify]), known)
    if job.metrics_file is not None:
        yield _check_metrics(job.metrics_file)
    if job.excel:
        yield tried("workbook", require_excel, "Workbooks can be written.")
    yield _check_descriptors(job.concurrency * max(1, account_count) + _OTHERS)


def _check_metrics(path: Path) -> Check:
    able = tried("metrics", require_metrics, f"They go to {path}.")
    if able.level is Level.FAIL or os.access(path.parent, os.W_OK | os.X_OK):
        return able
    what = f"The folder {path.parent} is not there, or may not be written: a run goes on without its metrics."
    return warning("metrics", what, "Make the folder, or name another file with --metrics-file.")


def _check_descriptors(needed: int) -> Check:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= allowed < needed:
        what = f"At most {allowed:,} files and connections may be open at once, and a run may need {needed:,}."
        return warning("open files", what, f"Type: ulimit -n {needed}   or lower --concurrency.")
    return good("open files", f"A run needs at most {needed:,} at once, which is allowed.")
