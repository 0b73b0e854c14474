"""One run at a time, as on one machine: begun here or there, carried out by whomever.

What another run sends could take rows of this one along (a series does), or be what this one asks for anew: a run in
which that cannot happen is one that has the ledger's targets to itself. So the next one waits, or is refused.
"""

from __future__ import annotations

import time

from bulk_cancel.cluster.chunk import stop_key
from bulk_cancel.errors import LockedError
from bulk_cancel.ledger.shared import SharedLedger

#: Number of the newest runs among which one that is still at work is sought.
_RUNS = 200
_POLL_S = 0.5
#: Of a run that was stopped, a chunk whose owner has been silent for longer has no owner who might still send.
_SILENCE_S = 90.0


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
    """Return the id of a run that workers have not ended; empty when there is none."""
    for run in ledger.runs(limit=_RUNS):
        if run.status == "running" and any(ledger.open_chunks(run.run_no)) and not _is_given_up(ledger, run.run_no):
            return run.run_id
    return ""


def _is_given_up(ledger: SharedLedger, run_no: int) -> bool:
    """It was stopped, and nobody works on it: a worker that takes a chunk of it from now on sends nothing."""
    if ledger.meta(stop_key(run_no)) is None:
        return False
    heard = [chunk.silent_s for chunk in ledger.chunks(run_no) if not chunk.ended and chunk.silent_s is not None]
    return all(silent_s > _SILENCE_S for silent_s in heard)
