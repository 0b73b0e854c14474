"""Writes the result files and the page of a run, at its end or later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from bulk_cancel.core.model import Status
from bulk_cancel.ledger.port import Ledger, RunRecord
from bulk_cancel.reports.pages.run_page import write_run_page
from bulk_cancel.reports.records import UNKNOWN_CSV, Wanted, write_records
from bulk_cancel.reports.remains import remains_elsewhere, remains_of_run
from bulk_cancel.reports.shown_columns import shown_columns
from bulk_cancel.reports.workbook import why_no_workbook

_KEPT = re.compile(r"input-(\d{8}-\d{6}-[0-9a-f]{4})\.parquet")


def write_run(ledger: Ledger, run: RunRecord, out: Path, now: float, wanted: Wanted) -> str:
    """Write all files of a run into `out`; return why a wanted workbook is missing, a sentence, or "".

    Times are in the zone of the run. `now` in seconds since the epoch: a plan may have expired meanwhile. Raises
    ReportError when the disk refuses, LedgerError and InputError when ledger and snapshot do not fit, UsageError before
    anything is written when a column that is to be shown is not there.
    """
    snapshot = snapshot_of(run)
    shown = shown_columns(snapshot, wanted.show)
    too_much = why_no_workbook(sum(ledger.counts(run.run_no).values())) if wanted.excel else ""
    rows = partial(ledger.rows, run.run_no)
    others = remains_elsewhere(ledger, run.run_no, remains_of_run(ledger, run.run_no))
    spare = (UNKNOWN_CSV,) if others.count(Status.UNKNOWN) else ()
    facts = (("Run", run.run_id), *run.provenance.facts())
    wanted = replace(wanted, excel=wanted.excel and not too_much, facts=facts, zone=run.zone, spare=spare)
    files = write_records(snapshot, rows, out, wanted)
    write_run_page(ledger, run, out, now, shown.on)
    return too_much or files.missing


def snapshot_of(run: RunRecord) -> Path | None:
    """Return the snapshot of a run's input; None when there is none."""
    snapshot = _snapshot_in(Path(run.out), run.run_id)
    return snapshot if snapshot.exists() else None


def keep_snapshot(snapshot: Path, out: Path, run_id: str) -> None:
    """Keep the snapshot of a run that has begun in its folder `out`, if it has one, and those of no other run there.

    It bears the run's id: what another run read can never be taken for what this one did. Raises OSError.
    """
    kept = _snapshot_in(out, run_id)
    if snapshot.exists():
        snapshot.replace(kept)
    for older in kept_snapshots(out).values():
        if older != kept:
            older.unlink(missing_ok=True)


def kept_snapshots(folder: Path) -> Mapping[str, Path]:
    """Return the snapshots that runs keep in a folder, by the ids of the runs."""
    found = ((_KEPT.fullmatch(path.name), path) for path in folder.glob("input-*.parquet"))
    return {name[1]: path for name, path in found if name}


def _snapshot_in(out: Path, run_id: str) -> Path:
    return out / f"input-{run_id}.parquet"
