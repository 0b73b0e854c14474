"""The end of a `run` whose input has no rows: what earlier runs left in the ledger is looked up before it says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.access.setup import Setup
from bulk_cancel.commands.reconcile import reconcile_in
from bulk_cancel.core.exit_codes import Remains, decide_exit
from bulk_cancel.core.model import Status
from bulk_cancel.errors import Exit, NoRowsError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.planning.sources import NOTHING_TO_DO, Source, open_if_any, why_nothing
from bulk_cancel.reports.remains import remains_elsewhere
from bulk_cancel.reports.summary import Ending, Requests, Summary, next_step


def open_rows_or_ledger(setup: Setup, folder: Path) -> Source | str:
    """Return the source as `open_if_any` does; also a sentence for a search that finds nothing while outcomes are open.

    Such a search finds nothing because the job has cancelled what it found before.
    """
    try:
        return open_if_any(setup, folder)
    except NoRowsError as error:
        if setup.job.select is None or not _has_open(_left_in(setup.place)):
            raise
        return why_nothing(setup.job, error)


def end_without_rows(setup: Setup, caller: Caller, why: str) -> Summary:
    """Look up what is unknown in the ledger, sending nothing, and return the summary of that; `why` there is no row.

    With `--engine dbos` only the workers have the credentials to read: what is open is told. Raises as a reconcile.
    """
    left = _left_in(setup.place)
    if not _has_open(left):
        return _summary(setup, Exit.OK, why)
    said = f"No row to cancel: {why.removeprefix(NOTHING_TO_DO)}"
    if setup.job.engine == "local":
        summary = reconcile_in(setup, caller)
        return replace(summary, next=f"{said} {summary.next}")
    code = decide_exit(Remains({}), elsewhere=left)
    ending = Ending(Remains({}), code, left, ledger=str(setup.place))
    return _summary(setup, code, f"{said} {next_step(ending)}")


def _left_in(place: LedgerPlace) -> Remains:
    """Return what all inputs left open in a ledger; there may be none. Raises LedgerError, also when it is lost."""
    place.refuse_lost()
    if not place.exists():
        return Remains({})
    with place.reading() as ledger:
        return remains_elsewhere(ledger, 0, Remains({}))


def _has_open(left: Remains) -> bool:
    return bool(left.count(Status.UNKNOWN, Status.PENDING))


def _summary(setup: Setup, exit_code: Exit, said: str) -> Summary:
    return Summary(
        run_id=setup.machine.new_run_id(),
        rows=0,
        targets=0,
        counts={},
        requests=Requests(),
        elapsed_s=0.0,
        exit_code=exit_code,
        out=None,
        ledger=str(setup.place),
        next=said,
        provenance=setup.provenance,
    )
