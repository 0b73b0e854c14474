"""The calls that write to the ledger: each is one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from bulk_cancel.core.model import Entry, InputRow, Scope
from bulk_cancel.core.states import REFUSED, UNANSWERED, Event, next_state
from bulk_cancel.errors import LostChunkError
from bulk_cancel.ledger.high_water import Keeper, Marks, Seen
from bulk_cancel.ledger.port import PaceUpdate, RunStart
from bulk_cancel.ledger.postgres import appending, staging
from bulk_cancel.ledger.postgres import integrity as chain
from bulk_cancel.ledger.postgres.reading import Reading
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.records import scoped
from bulk_cancel.ledger.shared import Lease, Standing


class Writing(Reading):
    """The writing half of the contract. With a lease every entry is fenced."""

    def __init__(self, session: Session, marks: Marks | None = None, keeper: Keeper | None = None) -> None:
        super().__init__(session)
        self._marks, self._keeper = marks, keeper
        self._settles: dict[int, float] = {}  #: seconds, by run
        self._lease: Lease | None = None
        self.standing = Standing()

    def append(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> None:
        settle_s = self._settle_s(run_no) if self._keeper and entries else 0.0
        last = self._appended(run_no, entries, *paces)
        if self._keeper and last:
            if any(entry.event in UNANSWERED for entry in entries):
                self._keeper.heard(last.at, settle_s)
            self._keeper.move(Seen(last.event_id, last.digest, self._keeper.unanswered))

    def _settle_s(self, run_no: int) -> float:
        if run_no not in self._settles:
            self._settles[run_no] = float(self._session.value("settle_of", run_no))
        return self._settles[run_no]

    def _appended(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> appending.Appended | None:
        last = None
        with self._session.batch():
            self._fence(self._lease, posts=_posts_of(entries))
            if entries:
                last = appending.append(self._session, run_no, self._chunk_no(run_no), entries)
            if self._lease and (refused := sum(next_state(one.was, one.event) in REFUSED for one in entries)):
                ((count,),) = self._session.run("count_refused", run_no, refused).fetchall()
                self.standing = replace(self.standing, refused=count)
            for pace in sorted(paces, key=lambda pace: pace.credential):  # one order for all: else two could deadlock
                record = pace.record
                self._session.run("save_pace", pace.credential, record.tat_at, record.tat_mono, record.boot_id)
        return last

    def begin_run(self, start: RunStart) -> int:
        with self._session.transaction():
            about = (start.settle_s, start.source, start.input_digest, start.out, start.provenance.to_json())
            run_no = int(self._session.value("begin_run", start.run_id, *about))
            chain.seal_beginning(self._session, run_no)
            return run_no

    def stage(self, run_no: int, rows: Sequence[InputRow], at: float, *, retry_refused: bool = False) -> None:
        with self._session.transaction():
            staging.stage(self._session, run_no, rows, retry_refused)

    def start_run(self, run_no: int) -> None:
        with self._session.transaction():
            self._session.run("start_run", run_no)

    def end_run(self, run_no: int, at: float, summary: str) -> None:
        with self._session.transaction():
            self._session.run("end_run", run_no, summary)

    def recover(self, run_no: int, at: float, scope: Scope | None = None) -> int:
        chunk_no, within = self._chunk_no(run_no), scoped(scope)
        with self._session.transaction():
            self._fence(self._lease)
            self._session.run("lock_chain", run_no, chunk_no)
            self._session.run("lock_sending", *within)
            events = self._session.stream("recover_events", *within, run_no, chunk_no)
            recovered = chain.seal(self._session, run_no, chunk_no, events)
            self._session.run("recover_targets", *within)
        return recovered

    def bind(self, key: str, value: str) -> str:
        with self._session.transaction():
            self._session.run("set_meta", key, value)
        return self.meta(key) or value

    def _chunk_no(self, run_no: int) -> int:
        """Return the number of the chain to extend: each chunk has its own."""
        chunk = self._lease.chunk if self._lease else None
        return chunk.chunk_no if chunk and chunk.run_no == run_no else 0

    def _fence(self, lease: Lease | None, *, posts: int = 0, gets: int = 0, throttled: int = 0) -> None:
        """Lock the chunk's row until the transaction ends, so that no worker takes the chunk over in between."""
        if lease is None:
            return
        chunk, requests = lease.chunk, (posts, gets, throttled)
        found = self._session.run("fence", chunk.run_no, chunk.chunk_no, lease.epoch, *requests).fetchall()
        if found:
            self.standing = Standing(*found[0])
        else:
            raise LostChunkError(
                f"Chunk {chunk.chunk_no} of run {chunk.run_no} has another owner, or it has ended.",
                advice="Nothing to do: the worker that has it now goes on with it.",
            )

    @contextmanager
    def _fenced(self, lease: Lease | None) -> Iterator[None]:
        with self._session.transaction():
            self._fence(lease)
            yield


def _posts_of(entries: Sequence[Entry]) -> int:
    """Return the number of cancels sent: each intent is one, unless its record says that no byte left."""
    intents = sum(entry.event is Event.INTENT for entry in entries)
    return intents - sum(entry.event is Event.NOT_APPLIED and entry.http_status is None for entry in entries)
