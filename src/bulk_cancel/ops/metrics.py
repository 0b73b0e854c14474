"""Writes the result of a run for Prometheus: a text file that node_exporter's textfile collector reads.

Needs the extra [metrics]. A failure to write is logged and changes nothing about the run.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from bulk_cancel.errors import ConfigError, Exit
from bulk_cancel.ops.notice import RunEnding

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_LAST_SUCCESS = "bulk_cancel_last_success_timestamp_seconds"


def require_metrics() -> None:
    """Raise ConfigError when prometheus-client is not installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise ConfigError("The metrics are not installed.", advice='In the checkout: pip install ".[metrics]"')


def write_metrics(path: Path, ending: RunEnding, log: FilteringBoundLogger) -> None:
    """Replace the file by the figures of this run; the moment of the last success is kept. Never raises."""
    from prometheus_client import write_to_textfile

    now = time.time()
    try:
        success = now if ending.exit_code is Exit.OK else _last_success(path, ending.job)
        write_to_textfile(str(path), _registry(ending, now, success))
        path.chmod(0o644)  # node_exporter runs as another user, and the file contains nothing private
    except (OSError, ValueError) as error:
        log.warning("metrics.failed", path=str(path), error=str(error), hint="the run is not affected")


def _last_success(path: Path, job: str) -> float | None:
    """Read when this job last succeeded, from the file that is about to be replaced; None when that is not known."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    samples = [sample for family in families if family.name == _LAST_SUCCESS for sample in family.samples]
    return next((sample.value for sample in samples if sample.labels.get("job") == job), None)


def _registry(ending: RunEnding, now: float, success: float | None) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()

    def put(name: str, text: str, value: float | None) -> None:
        if value is not None:
            gauge = Gauge(name, text, ["job"], registry=registry)
            gauge.labels(ending.job).set(value)

    put(_LAST_SUCCESS, "When a run last ended with exit code 0.", success)
    put("bulk_cancel_last_run_timestamp_seconds", "When the last run ended.", now)
    put("bulk_cancel_last_run_exit_code", "Exit code of the last run; see the README.", int(ending.exit_code))
    put("bulk_cancel_last_run_duration_seconds", "How long the last run took.", ending.elapsed_s)
    put("bulk_cancel_last_run_throttled", "Number of 429 answers in the last run.", ending.throttled)
    put("bulk_cancel_unknown_open", "Targets of unknown outcome in the ledger.", ending.unknown_open)
    rows = Gauge("bulk_cancel_last_run_rows", "Rows of the last run.", ["job", "status"], registry=registry)
    for status, count in ending.counts.items():
        rows.labels(ending.job, status).set(count)
    requests = Gauge("bulk_cancel_last_run_requests", "Requests of the last run.", ["job", "kind"], registry=registry)
    for kind, count in ending.requests.items():
        requests.labels(ending.job, kind).set(count)
    return registry
