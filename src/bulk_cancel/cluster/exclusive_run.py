"""One run at a time, as on one machine: begun here or there, carried out by whomever.

What another run sends could take rows of this one along (a series does), or be what this one asks for anew: a run in
which that cannot happen is one that has the ledger's targets to itself. So the next one waits, or is refused.
"""

from __future__ import annotations

import time

from bulk_cancel.errors import LockedError
from bulk_cancel.ledger.shared import SharedLedger

#: Number of the newest runs among which one that is still at work is sought.
_RUNS = 200
_POLL_S = 0.5


def take_turn(ledger: SharedLedger, wait_s: float) -> None:
    """Return when no other run is being begun or at work; keep others out until the ledger is closed.

    Raises LockedError (exit 75), naming the other run, after `wait_s` seconds.
    """
    until = time.monotonic() + wait_s
    mine = False
    while True:
        mine = mine or ledger.hold_name("run")
        other = run_at_work(ledger) or ("" if mine else "another one, which is just being begun,")
        if not other:
            return
        if time.monotonic() >= until:
            raise LockedError(
                f"Workers are at a run of the ledger {ledger.place}: {other} has not ended.",
                advice="Nothing was sent. Wait until it has (bulk-cancel cluster status), let this one wait with "
                "--lock-wait 30m, or stop the other: bulk-cancel cluster stop RUN",
            )
        time.sleep(_POLL_S)


def run_at_work(ledger: SharedLedger) -> str:
    """Return the id of a run that workers have not ended; empty when there is none.

    What is left of a run that was stopped, and whose owners are all silent, is ended here: they may be alive, and from
    now on they can write nothing more.
    """
    for run in ledger.runs(limit=_RUNS):
        if run.status == "running":
            ledger.end_given_up(run.run_no)
            if any(ledger.open_chunks(run.run_no)):
                return run.run_id
    return ""
