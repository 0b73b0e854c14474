"""A rerun of the very same input: its rows are in the ledger, so they are neither read, staged nor planned anew.

What is sent then comes from the requests that the ledger's targets carry. They are those of this input as long as the
run that staged it is the last one that staged any, and as long as its bytes and everything else that decides rows are
the same. Whatever is unclear leads to the full path, which is always right.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.core.model import InputRow, Work
from bulk_cancel.core.states import State
from bulk_cancel.engine.plan import PREVIEW, Plan, Staged, plan_staged
from bulk_cancel.errors import BulkCancelError, InputError
from bulk_cancel.inputs import StagedInput, digest_of, first_invalid, open_staged, options_digest
from bulk_cancel.job import Job
from bulk_cancel.ledger.port import Ledger, RunStart, StagedRun
from bulk_cancel.ledgers import LedgerPlace, ledger_place
from bulk_cancel.places import SNAPSHOT, api_url
from bulk_cancel.sources import InputFile, may_share, options_of


@dataclass(frozen=True)
class Again:
    """An input that a run staged before, with the snapshot of then in the folder of now."""

    source: InputFile
    staged_run: StagedRun

    def plan(self, ledger: Ledger) -> Plan | None:
        """Plan from the ledger alone; None when its rows cannot be shared any more. To be asked under its lock."""
        staged, known = self.source.staged, ledger.last_staged()
        if known is None or not _same(known, self.staged_run):
            return None
        try:
            invalid = first_invalid(staged, PREVIEW)
        except InputError:
            return None
        first = [_row(number, work) for number, work in ledger.first_to_send(known.run_no, PREVIEW)]
        counts = (staged.row_count, staged.invalid_count, staged.duplicate_count, staged.user_count)
        facts = Staged(*counts, _states(ledger, known.run_no), first, invalid)
        return plan_staged(facts, self.source.job.pace)

    def share(self, ledger: Ledger, start: RunStart) -> int:
        """Begin a run with the rows of the earlier one."""
        return ledger.share_run(start, self.staged_run.run_no)


def find_again(job: Job, environ: Mapping[str, str], folder: Path) -> Again | None:
    """Return the job's input as the ledger has it, its snapshot linked into `folder`; None when it has to be read."""
    if not may_share(job):
        return None
    known = _last_staged(ledger_place(job.ledger, api_url(environ)))
    if known is None or not known.options_digest or not _is_input_of(job, known):
        return None
    for out in known.outs:
        if staged := _linked(Path(out) / SNAPSHOT, folder / SNAPSHOT, known):
            return Again(InputFile(job, staged), known)
    return None


def _last_staged(place: LedgerPlace) -> StagedRun | None:
    """Peek into the ledger. What is wrong with it will be said when it is opened for the run."""
    with suppress(BulkCancelError), place.reading() as ledger:
        return ledger.last_staged()
    return None


def _is_input_of(job: Job, known: StagedRun) -> bool:
    """Compare the cheap first. What is wrong with the input will be said when it is read."""
    with suppress(BulkCancelError):
        same_options = options_digest(job.input, options_of(job)) == known.options_digest
        return same_options and digest_of(job.input) == known.input_digest
    return False


def _linked(snapshot: Path, into: Path, known: StagedRun) -> StagedInput | None:
    """Take the snapshot over before anything looks at it: what is looked at is what stays."""
    if snapshot.is_symlink() or not snapshot.is_file():
        return None
    try:
        _link_or_copy(snapshot, into)
        staged = open_staged(into)
        if (staged.digest, staged.options_digest) == (known.input_digest, known.options_digest):
            return staged
    except (OSError, InputError):
        pass
    into.unlink(missing_ok=True)
    return None


def _link_or_copy(snapshot: Path, into: Path) -> None:
    try:
        os.link(snapshot, into)
    except OSError:  # another file system, or one without links
        shutil.copyfile(snapshot, into)
        into.chmod(0o600)


def _same(one: StagedRun, other: StagedRun) -> bool:
    first, second = ((run.run_no, run.input_digest, run.options_digest) for run in (one, other))
    return first == second


def _states(ledger: Ledger, run_no: int) -> dict[State, int]:
    """Count the targets by state, in the order in which the first rows show the states."""
    counts = ledger.target_states(run_no)
    shown = [record.state for record in ledger.rows(run_no, 0, 1000)]
    return {state: counts[state] for state in (*shown, *counts) if state is not None and state in counts}


def _row(number: int, work: Work) -> InputRow:
    target, request = work.target, work.request
    key = (target.appointment_id, target.attendee_id, target.entire_series)
    asked = (request.cancel_all, request.reason, request.user_id)
    return InputRow(number, *key, *asked, number, None, request.account or None)
