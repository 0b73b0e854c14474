"""Ensures one run at a time over a ledger, whichever machines begin and carry it out.

Another run could cancel rows of this one (a series includes other appointments), or work on the same targets. So the
next run waits, or is refused.
"""

from __future__ import annotations

import time

from bulk_cancel.errors import LockedError
from bulk_cancel.ledger.shared import SharedLedger

#: Number of the newest runs that are searched for one that has not ended.
_RUNS = 200
_POLL_S = 0.5


def take_turn(ledger: SharedLedger, wait_s: float) -> None:
    """Wait until no other run is beginning or active; keep others out until the ledger is closed.

    Raises LockedError (exit 75), naming the other run, after `wait_s` seconds.
    """
    until = time.monotonic() + wait_s
    mine = False
    while True:
        mine = mine or ledger.hold_name("run")
        other = run_at_work(ledger) or ("" if mine else "another one, which is just beginning,")
        if not other:
            return
        if time.monotonic() >= until:
            raise LockedError(
                f"Workers are busy with a run of the ledger {ledger.place}: {other} has not ended.",
                advice="Nothing was sent. Wait until it has (bulk-cancel cluster status), let this one wait with "
                "--lock-wait 30m, or stop the other: bulk-cancel cluster stop RUN",
            )
        time.sleep(_POLL_S)


def run_at_work(ledger: SharedLedger) -> str:
    """Return the id of a run that has not ended; empty when there is none.

    A stopped run whose owners are all silent is ended here: should they be alive, they can write nothing from now on.
    """
    for run in ledger.runs(limit=_RUNS):
        if run.status == "running":
            ledger.end_given_up(run.run_no)
            if any(ledger.open_chunks(run.run_no)):
                return run.run_id
    return ""
