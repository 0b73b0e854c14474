"""The summary of a run: one JSON document, the same on stdout and in summary.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bulk_cancel.core.model import Status
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.errors import Exit, LedgerError
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.reports.files import written_aside
from bulk_cancel.reports.next_step import Ending, next_step

__all__ = ["Ending", "Requests", "Summary", "next_step", "read_told", "to_json", "write_summary"]

SUMMARY_JSON = "summary.json"
#: Files of a run for people, in the order in which they are named. (Here, since importing this module is fast.)
FOR_PEOPLE = (
    "report.html",
    "results.csv",
    "results.xlsx",
    "failed.csv",
    "invalid.csv",
    "unknown.csv",
    "unprocessed.csv",
    "rebooking.csv",
)


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests of a run."""

    posts: int = 0
    unseen: int = 0  #: of those, sent without a reading right before
    gets: int = 0
    throttled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The result of a run. Automation depends on the names; a change of their meaning raises `schema_version`."""

    schema_version: int = 1
    run_id: str
    rows: int
    targets: int
    counts: Mapping[Status, int]  #: status -> rows; those without rows may be missing
    requests: Requests | None  #: None: not known, since the run was interrupted
    elapsed_s: float
    exit_code: int
    out: str | None
    ledger: str
    next: str  #: what to do next, in sentences
    pace: Pace | None = None  #: the limit that the run kept; of several accounts, all their limits together
    paid: int = 0  #: cancelled appointments that were paid for
    closure: str = ""  #: the command that checks the days of a closure; empty: this run is of no closure
    provenance: Provenance = field(default_factory=Provenance)  #: who started it, with which command, and why
    earlier: Mapping[str, Provenance] = field(default_factory=dict)  #: runs of the same input that sent cancels
    accounts: Mapping[str, Requests] = field(default_factory=dict)  #: by account, where there are any


def to_json(summary: Summary) -> str:
    """Return the JSON document. All statuses are in it, and it is ASCII: it goes to terminals of any encoding."""
    earlier = [{"run_id": run_id, **its.document()} for run_id, its in summary.earlier.items()]
    document = {
        "schema_version": summary.schema_version,
        "run_id": summary.run_id,
        "rows": summary.rows,
        "targets": summary.targets,
        "counts": {status.value: summary.counts.get(status, 0) for status in Status},
        "limit": {"rate_per_s": summary.pace.rate_per_s, "burst": summary.pace.burst} if summary.pace else None,
        "requests": asdict(summary.requests) if summary.requests else None,
        **({"accounts": {name: asdict(its) for name, its in summary.accounts.items()}} if summary.accounts else {}),
        "elapsed_s": round(summary.elapsed_s, 3),
        "exit_code": int(summary.exit_code),
        "out": summary.out,
        "ledger": summary.ledger,
        "next": summary.next,
        "paid": summary.paid,
        **({"closure": summary.closure} if summary.closure else {}),
        "provenance": summary.provenance.document(),
        **({"earlier_runs": earlier} if earlier else {}),
    }
    return json.dumps(document, indent=2) + "\n"


def read_told(record: RunRecord) -> dict[str, Any]:
    """Return the summary of a run in the ledger; empty where there is none.

    Raises LedgerError for one that this program did not write.
    """
    try:
        told = json.loads(record.summary or "{}")
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or (told and not _is_ours(told)):
        raise LedgerError(
            f"The summary of the run {record.run_id} in the ledger was not written by this program.",
            advice="Was it changed by hand? `bulk-cancel ledger verify` tells what else is wrong.",
        )
    return told


def _is_ours(told: dict[str, Any]) -> bool:
    """Return whether all parts that are read are there, with the right types."""
    parts = told.get("counts"), told.get("requests") or {}, told.get("limit") or {}
    if not all(isinstance(part, dict) for part in parts):
        return False
    counts, requests, limit = (part for part in parts if part is not None)
    return (
        all(isinstance(number, int | float) for part in (counts, requests, limit) for number in part.values())
        and {*counts} <= {*Status}
        and (not requests or requests.keys() >= {"posts", "gets", "throttled"})
        and (not limit or (limit.keys() == {"rate_per_s", "burst"} and limit["rate_per_s"] > 0))
        and isinstance(told.get("next"), str)
        and told.get("exit_code") in [*Exit]
    )


def write_summary(document: str, out: Path) -> Path:
    """Write the document of `to_json` as summary.json into `out`; return its path."""
    with written_aside(out, [SUMMARY_JSON]) as folder:
        (folder / SUMMARY_JSON).write_text(document, encoding="ascii")
    return out / SUMMARY_JSON
