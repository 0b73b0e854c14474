"""What workers over one ledger may do: their chunks, their credentials, and runs that are to stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bulk_cancel.core.model import Chunk, Entry
from bulk_cancel.core.states import Event
from bulk_cancel.errors import Exit
from bulk_cancel.settings.job import Job
from world.api import Departure
from world.database import Database, Session
from world.ran import Ran

#: Of a chunk: the commit that tells of a stop, and the one that holds what was waiting meanwhile.
_COMMITS_AFTER_A_STOP = 2
#: A chunk that is handed back every five seconds for a minute and a half, several times over.
_MOST_EPOCHS = 150
#: Requests to a refused key that are underway together are answered within so many seconds.
_TOGETHER_S = 3.0


class FleetRules:
    """Watches the workers of one history."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._max_errors: dict[int, int] = {}  #: by the ledger's number of the run
        self._after_a_stop: Counter[tuple[int, Chunk]] = Counter()  #: by the life of the worker, and by the chunk
        self._judged = 0  #: departures
        self._left: Counter[str] = Counter()  #: requests of workers, by credential
        self._reads = 0  #: of workers
        self.is_uncounted = False  #: whether a worker lost a chunk, with reads that were not on record yet
        self._broken: list[str] = []

    def begins(self, run_id: str, job: Job) -> None:
        """Note a run that is handed out."""
        ledger = self._database._ledger
        if job.max_errors.isdigit() and ledger is not None:
            self._max_errors[ledger.runs(run_id)[0].run_no] = int(job.max_errors)

    def committed(self, session: Session, life: int, entries: Sequence[Entry]) -> None:
        """After its run was stopped, or had too many refusals, a worker begins nothing more in any of its chunks."""
        if session._lease is None or not any(entry.event is Event.INTENT for entry in entries):
            return
        chunk = session._lease.chunk
        run_no = chunk.run_no
        most = self._max_errors.get(run_no)
        has_too_many = most is not None and self._database.refused.get(run_no, 0) > most
        if run_no in self._database.stopped or has_too_many:
            self._after_a_stop[life, chunk] += 1
            if self._after_a_stop[life, chunk] == _COMMITS_AFTER_A_STOP + 1:
                self._broken.append("a worker goes on sending for a run that was stopped, or had too many refusals.")

    def departs(self, one: Departure) -> None:
        """Note a request of a worker: a slot of its credential's limit was reserved for it before."""
        self._reads += one.kind != "post"
        self._left[one.account] += 1
        if self._left[one.account] == self._database.paces[one.account].reserved + 1:
            self._broken.append(f"request {one.number} left without a slot that was reserved for it.")

    def told(self, _: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
        """Hear what a worker logs."""
        self.is_uncounted |= event["event"] == "chunk.lost"
        return event

    def broken_in(self, ran: Ran, departures: Sequence[Departure]) -> list[str]:
        """Return the sentences of what the workers broke since the run before."""
        new, self._judged = departures[self._judged :], len(departures)
        self._judge(ran, new)
        found, self._broken = self._broken, []
        return found

    def _judge(self, ran: Ran, new: Sequence[Departure]) -> None:
        for (run_no, number), row in self._database.chunks.items():
            if row.epoch > _MOST_EPOCHS + self._database.lost_count:
                self._broken.append(f"chunk {number} of run {run_no} was taken {row.epoch} times.")
                break
        self._broken += list(self._database.ended_early)
        self._database.ended_early.clear()
        chunks = self._database.chunks.values()
        counted = sum(chunk.requests[1] for chunk in chunks)
        if counted < self._reads and all(chunk.ended for chunk in chunks) and not self.is_uncounted:
            self._broken.append(f"{counted} reads are on record, {self._reads} left, and no worker lost its chunk.")
        self._tries_a_refused_key_once(new)
        is_of_workers = ran.job.engine == "dbos" and ran.summary is not None
        if is_of_workers and ran.exit_code == Exit.CREDENTIAL and not any(map(_is_refused, new)):
            self._broken.append("a run ended with a refused credential that nobody had tried.")

    def _tries_a_refused_key_once(self, new: Sequence[Departure]) -> None:
        times: Counter[tuple[int, str]] = Counter()
        last: dict[tuple[int, str], float] = {}
        for one in filter(_is_401, new):
            key, at = (one.run, one.account), one.answered_at or 0.0
            times[key] += key not in last or one.began > last[key] + _TOGETHER_S
            last[key] = max(last.get(key, 0.0), at)
        runs = {run_no for run_no, _ in self._database.chunks}  # also one of whose handing out no answer came
        if any(count > len(runs) + 1 for count in times.values()):
            self._broken.append("a worker tries a credential again and again that was refused.")


def _is_401(one: Departure) -> bool:
    return one.answer is not None and one.answer.status == 401


def _is_refused(one: Departure) -> bool:
    """Whether a request was refused for its credential, or forbidden, of which many are its credential's fault."""
    return one.answer is not None and one.answer.status in (401, 403)
