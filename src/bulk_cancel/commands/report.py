"""`report`: write a run's result files again, from the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.access.ledgers import LedgerPlace, clock_of
from bulk_cancel.access.machine import Machine
from bulk_cancel.core.model import Status
from bulk_cancel.core.moments import Zone, write_moment
from bulk_cancel.errors import UsageError
from bulk_cancel.execution.finish import summary_of_unended
from bulk_cancel.ledger.port import ALL_RUNS, Ledger, RunRecord
from bulk_cancel.reports.records import Wanted
from bulk_cancel.reports.remains import is_as_told, next_now, remains_of_run
from bulk_cancel.reports.result_folders import folder_of, kept_snapshots, owner_of, snapshot_of
from bulk_cancel.reports.run_files import write_run
from bulk_cancel.reports.summary import read_told, to_json, write_summary
from bulk_cancel.reports.workbook import require_excel

_NO_COLUMNS = (
    "The input of this run is not in {} any more: the files have the ids and what was asked, not the input's columns."
)


@dataclass(frozen=True, slots=True)
class Reported:
    """The files that were written again."""

    run_id: str
    out: Path
    missing: str  #: why a wanted workbook is missing, a sentence; or empty


@dataclass(frozen=True, slots=True)
class ReportWish:
    """Options for writing the files of a run again."""

    out: Path | None = None  #: None: the run's own folder
    zone: Zone = None  #: of their times; None: that of the run
    excel: bool = False
    show: Sequence[str] = ()  #: columns of the input, beside the ids on the page


PLAIN = ReportWish()


def report_run(place: LedgerPlace, machine: Machine, run_id: str, wish: ReportWish = PLAIN) -> Reported:
    """Write the files of a run again (of the newest one without a `run_id`), with the present states of its rows.

    No file is removed. Raises UsageError for an unknown run, for a folder that holds the results of another one, and
    for a column that is to be shown and does not exist.
    """
    if wish.excel:
        require_excel()
    with place.reading() as ledger:
        runs = [run for run in ledger.runs(run_id) if run.input_digest]
        if not runs:
            which = f"no run {run_id}" if run_id else "no run yet"
            raise UsageError(f"The ledger {place} knows {which}.")
        run, folder = runs[0].told_in(wish.zone), wish.out or folder_of(runs[0])
        _refuse_another_runs(ledger, run, folder)
        clock = clock_of(ledger, machine.clock)
        wanted = Wanted(excel=wish.excel, show=wish.show, keep=True)
        no_columns = "" if snapshot_of(run) else _NO_COLUMNS.format(folder_of(run))
        missing = " ".join(filter(None, (no_columns, write_run(ledger, run, folder, clock.now(), wanted))))
        document = _as_of_now(ledger, run, folder, clock.now()) if run.summary else None
        write_summary(document or to_json(summary_of_unended(ledger, run, folder, clock)), folder)
        return Reported(run.run_id, folder, missing)


def _as_of_now(ledger: Ledger, run: RunRecord, folder: Path, now: float) -> str:
    """Return the summary of an ended run, with its counts and its next step as they are now, as in the files beside it.

    All else in it stays as the run ended.
    """
    told, remains = read_told(run), remains_of_run(ledger, run.run_no)
    since = {} if is_as_told(run, remains) else {"counts_as_of": write_moment(now, run.zone)}
    counts = {status.value: remains.count(status) for status in Status}
    there = {"counts": counts, "out": str(folder), "next": next_now(ledger, run, remains, folder, now)}
    return json.dumps({**told, **there, **since}, indent=2) + "\n"


def _refuse_another_runs(ledger: Ledger, run: RunRecord, folder: Path) -> None:
    """Raise UsageError for a folder that holds the results of another run."""
    place = str(folder.resolve())
    of_others = (run_id for run_id in kept_snapshots(folder) if not ledger.runs(run_id))  # another ledger's
    newest = next((one.run_id for one in ledger.runs(limit=ALL_RUNS) if one.input_digest and one.out == place), None)
    owner = next(of_others, newest or owner_of(folder))
    if owner not in (None, run.run_id):
        raise UsageError(
            f"{folder} holds the results of the run {owner}, not of the run {run.run_id}.",
            advice="Nothing was written. Name another folder with --out.",
        )
