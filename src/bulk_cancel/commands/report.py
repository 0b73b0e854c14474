"""`report`: write a run's result files anew, from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.core.moments import AsOf
from bulk_cancel.errors import UsageError
from bulk_cancel.reports.run_files import write_run
from bulk_cancel.reports.workbook import require_excel


@dataclass(frozen=True, slots=True)
class Reported:
    """What was written again."""

    run_id: str
    out: Path
    missing: str  #: why there is no workbook although one was wanted, a sentence; or empty


def report_run(place: LedgerPlace, run_id: str, out: Path | None, as_of: AsOf, *, excel: bool = False) -> Reported:
    """Write the files of a run again (the newest one without a `run_id`), as the ledger knows its rows today.

    Without a zone, times are in that of the run.
    """
    if excel:
        require_excel()
    with place.reading() as ledger:
        runs = [run for run in ledger.runs(run_id) if run.input_digest]
        if not runs:
            which = f"no run {run_id}" if run_id else "no run yet"
            raise UsageError(f"The ledger {place} knows {which}.")
        folder = out or Path(runs[0].out)
        run = replace(runs[0], timezone=str(as_of.zone)) if as_of.zone else runs[0]
        return Reported(run.run_id, folder, write_run(ledger, run, folder, as_of.now, excel=excel))
