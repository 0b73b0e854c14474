"""Writes the result files and the page of a run, at its end or later."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from bulk_cancel.ledger.port import Ledger, RunRecord
from bulk_cancel.reports.pages.run_page import write_run_page
from bulk_cancel.reports.records import Wanted, write_records
from bulk_cancel.reports.result_folders import snapshot_of
from bulk_cancel.reports.shown_columns import shown_columns
from bulk_cancel.reports.workbook import why_no_workbook


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
    facts = (("Run", run.run_id), *run.provenance.facts())
    wanted = replace(wanted, excel=wanted.excel and not too_much, facts=facts, zone=run.zone)
    missing = write_records(snapshot, rows, out, wanted)
    write_run_page(ledger, run, out, now, shown.on)
    return too_much or missing
