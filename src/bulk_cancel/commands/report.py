"""`report`: write a run's result files anew, from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.core.moments import Zone
from bulk_cancel.errors import UsageError
from bulk_cancel.reports.run_files import write_run
from bulk_cancel.reports.workbook import require_excel


@dataclass(frozen=True, slots=True)
class Reported:
    """What was written again."""

    run_id: str
    out: Path
    missing: str  #: why there is no workbook although one was wanted, a sentence; or empty


def report_run(
    place: LedgerPlace, run_id: str, out: Path | None, zone: Zone = None, *, excel: bool = False
) -> Reported:
    """Write the files of a run again (the newest one without a `run_id`), as the ledger knows its rows today.

    Times are in `zone`; None: in that of the run, if it is known, else in this machine's.
    """
    if excel:
        require_excel()
    with place.reading() as ledger:
        runs = [run for run in ledger.runs(run_id) if run.input_digest]
        if not runs:
            which = f"no run {run_id}" if run_id else "no run yet"
            raise UsageError(f"The ledger {place} knows {which}.")
        folder = out or Path(runs[0].out)
        return Reported(runs[0].run_id, folder, write_run(ledger, runs[0], folder, zone or runs[0].zone, excel=excel))
