"""The database of the world: a ledger that workers share, with the contract of `ledger/shared.py`, in virtual time.

History and rows are those of the real SQLite ledger over one connection; chunks, leases, pace and locks are kept here,
as `ledger/sql/postgres.sql` keeps them. Every call is one transaction. It dates what it writes by its own clock, and
it may be away: then its sessions end, and of a call that was underway nobody knows whether it was carried out.
`test_database.py` holds it to the tests that PostgreSQL has to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bulk_cancel.core.clock import PaceRecord, TimeBase
from bulk_cancel.core.model import Chunk, Entry, InputRow, Scope, Work
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import REFUSED, Event, State, next_state
from bulk_cancel.errors import LedgerLostError, LedgerUnreachableError, LockedError, LostChunkError
from bulk_cancel.ledger.port import ALL_ROWS, PaceUpdate, RunStart, Unknown
from bulk_cancel.ledger.postgres.ledger import _posts_of
from bulk_cancel.ledger.shared import ChunkRecord, Lease, Reservation, Standing
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from world.queue import EPOCH, WorldClock
from world.tables import PLAN, ChunkRow, PaceRow


@dataclass
class Database:
    """What all sessions share. `breaks`: asked at each call; whether the session is lost before it (0) or after (1)."""

    path: Path
    clock: WorldClock
    breaks: Callable[[Session], int | None] = lambda _: None
    committed: Callable[[Session, Sequence[Entry]], None] = lambda session, entries: None
    chunks: dict[tuple[int, int], ChunkRow] = field(default_factory=dict)
    paces: dict[str, PaceRow] = field(default_factory=dict)
    stopped: dict[int, str] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    is_away: bool = False
    lost_count: int = 0  #: connections, in the middle of a call
    sessions: list[Session] = field(default_factory=list)
    ended_early: list[str] = field(default_factory=list)  #: what the workers' rules say of it
    _ledger: SqliteLedger | None = None

    @property
    def now(self) -> float:
        return EPOCH + self.clock.now

    def connect(self, elapsed: Callable[[], float], owner: Any = None) -> Session:
        """Open a session for a process. Raises LedgerUnreachableError."""
        if self.is_away:
            raise LedgerUnreachableError("The ledger cannot be reached.", advice="Is the database running?")
        self._ledger = self._ledger or SqliteLedger.open(self.path)
        session = Session(self, self._ledger, elapsed, owner)
        self.sessions.append(session)
        return session

    def go(self) -> None:
        """Be away: every session ends, and what it held is free."""
        self.is_away = True
        for session in list(self.sessions):
            session.lose()

    def of_the_dead(self, owner: Any) -> None:
        """A process has died: its sessions end."""
        for session in [one for one in self.sessions if one.owner is owner]:
            session.lose()

    def close(self) -> None:
        """End the history."""
        if self._ledger is not None:
            self._ledger.close()


class Session(SqliteLedger):
    """One connection of one process: a `SharedLedger`."""

    def __init__(
        self, database: Database, ledger: SqliteLedger, elapsed: Callable[[], float], owner: Any = None
    ) -> None:
        super().__init__(database.path, ledger._connection)
        self.database, self.owner = database, owner
        self.standing = Standing()
        self._elapsed = elapsed
        self._lease: Lease | None = None
        self._is_lost = False
        self._held: dict[str, bool] = {}  #: names, and whether alone
        self._is_within = False

    @property
    def place(self) -> str:
        return "postgresql://world/ledger"

    def lose(self) -> None:
        """The connection is gone, and what it held is free."""
        self._is_lost = True
        self._held.clear()
        if self in self.database.sessions:
            self.database.sessions.remove(self)

    def close(self) -> None:
        self.lose()

    @contextmanager
    def _call(self) -> Iterator[None]:
        """One transaction. It may be lost before it is carried out, or before anybody hears that it was."""
        if self._is_within:
            yield
            return
        breaks = None if self._is_lost else self.database.breaks(self)
        if breaks is not None:
            self.database.lost_count += 1
            self.lose()
        if self._is_lost and breaks != 1:
            raise LedgerLostError("The connection to the ledger was lost.", advice="Run the same command again.")
        self._is_within = True
        try:
            yield
        finally:
            self._is_within = False
        if breaks == 1:
            raise LedgerLostError("The connection to the ledger was lost.", advice="Run the same command again.")

    def _rows(self, name: str, *values: Any) -> list[Any]:
        with self._call():
            return super()._rows(name, *values)

    # -- writing ------------------------------------------------------------------------------------------------------

    def append(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> None:
        now, database = self.database.now, self.database
        with self._call():
            chunk = self._fenced(self._lease)
            if entries:
                super().append(run_no, [replace(entry, at=now) for entry in entries])
            if chunk and self._lease:
                self._sign(chunk, (_posts_of(entries), 0, 0))
                refused = sum(next_state(one.was, one.event) in REFUSED for one in entries)
                database.refused[run_no] = database.refused.get(run_no, 0) + refused
                self._show(chunk)
            for pace in paces:
                database.paces.setdefault(pace.credential, PaceRow()).tat_at = pace.record.tat_at
            database.committed(self, entries)

    def begin_run(self, start: RunStart) -> int:
        with self._call():
            return super().begin_run(replace(start, started_at=self.database.now))

    def stage(self, run_no: int, rows: Sequence[InputRow], at: float, *, retry_refused: bool = False) -> None:
        with self._call():
            super().stage(run_no, rows, self.database.now, retry_refused=retry_refused)

    def start_run(self, run_no: int) -> None:
        with self._call():
            super().start_run(run_no)

    def end_run(self, run_no: int, at: float, summary: str) -> None:
        with self._call():
            super().end_run(run_no, self.database.now, summary)

    def recover(self, run_no: int, at: float, scope: Scope | None = None) -> int:
        with self._call():
            if chunk := self._fenced(self._lease):
                self._sign(chunk)
            before = self._connection.execute("SELECT coalesce(max(event_id), 0) FROM events").fetchall()[0]
            recovered = super().recover(run_no, self.database.now, scope)
            found = self._connection.execute("SELECT target_id, attempt_no FROM events WHERE event_id > ?", before)
            now = self.database.now
            entries = [Entry(target, Event.RECOVERED, State.SENDING, attempt, now) for target, attempt in found]
            self.database.committed(self, entries)
            return recovered

    def bind(self, key: str, value: str) -> str:
        with self._call():
            return super().bind(key, value)

    # -- reading ------------------------------------------------------------------------------------------------------

    def unknown(self, after_target: int, limit: int, scope: Scope | None = None) -> list[Unknown]:
        now = self.database.now
        found = super().unknown(after_target, limit, scope)
        return [replace(one, base=None, age_s=max(0.0, now - one.last_at)) for one in found]

    def work(
        self, run_no: int, after_row: int, *, series: bool, limit: int, scope: Scope = ALL_ROWS
    ) -> list[tuple[int, Work]]:
        found = super().work(run_no, after_row, series=series, limit=limit, scope=scope)
        return [(row, self._aged(work)) for row, work in found]

    def listed_work(self, run_no: int, appointment_ids: Any, *, scope: Scope = ALL_ROWS) -> list[Work]:
        return [self._aged(work) for work in super().listed_work(run_no, appointment_ids, scope=scope)]

    def _aged(self, work: Work) -> Work:
        """Ages are told by the database's own clock."""
        work.refused, work.series = (
            past and replace(past, base=None, known_age_s=max(0.0, self.database.now - past.at))
            for past in (work.refused, work.series)
        )
        return work

    def load_pace(self, credential: str) -> PaceRecord | None:
        with self._call():
            pace = self.database.paces.get(credential)
            return PaceRecord(pace.tat_at, 0.0, None) if pace else None

    def verify(self) -> list[str]:
        with self._call():
            return super().verify()

    # -- chunks -------------------------------------------------------------------------------------------------------

    def plan_chunks(self, run_no: int, size: int) -> None:
        with self._call():
            if any(run == run_no for run, _ in self.database.chunks):
                return
            for number, account, series, after, last, count in self._connection.execute(PLAN, (run_no, size)):
                chunk = ChunkRow(Chunk(run_no, number, after, last, bool(series)), account, count)
                self.database.chunks[run_no, number] = chunk

    def chunks(self, run_no: int) -> Sequence[ChunkRecord]:
        with self._call():
            return [chunk.record(self.database.now) for chunk in self._of(run_no)]

    def _of(self, run_no: int) -> list[ChunkRow]:
        return [chunk for (run, _), chunk in sorted(self.database.chunks.items()) if run == run_no]

    def chunk(self, run_no: int, chunk_no: int) -> ChunkRecord | None:
        with self._call():
            found = self.database.chunks.get((run_no, chunk_no))
            return found.record(self.database.now) if found else None

    def open_chunks(self, run_no: int) -> tuple[bool, bool]:
        with self._call():
            left = [chunk.chunk.series for chunk in self._of(run_no) if not chunk.ended]
            return not all(left), any(left)

    def take_chunk(self, run_no: int, chunk_no: int, owner: str, silence_s: float) -> Lease | None:
        with self._call():
            chunk = self.database.chunks.get((run_no, chunk_no))
            if chunk is None or chunk.ended:
                return None
            chunk.owner, chunk.epoch, chunk.silence_s = owner, chunk.epoch + 1, silence_s
            chunk.heartbeat_at = self.database.now
            return Lease(chunk.chunk, chunk.account, owner, chunk.epoch)

    def silent_chunks(self, longer_than_s: float) -> Sequence[ChunkRecord]:
        with self._call():
            now = self.database.now
            records = [chunk.record(now) for _, chunk in sorted(self.database.chunks.items()) if not chunk.ended]
            return [one for one in records if one.silent_s is not None and one.silent_s >= longer_than_s]

    def work_under(self, lease: Lease | None) -> None:
        self._lease = lease

    def heartbeat(self, lease: Lease, gets: int = 0, throttled: int = 0) -> None:
        with self._call():
            chunk = self._fenced(lease)
            assert chunk is not None
            self._sign(chunk, (0, gets, throttled))
            self._show(chunk)

    def stop_run(self, run_no: int, why: str) -> None:
        with self._call():
            self.database.stopped.setdefault(run_no, why)

    def end_given_up(self, run_no: int) -> None:
        with self._call():
            now, left = self.database.now, [chunk for chunk in self._of(run_no) if not chunk.ended]
            alive = [one for one in left if one.heartbeat_at is not None and one.heartbeat_at > now - one.silence_s]
            if run_no in self.database.stopped and not alive:
                for chunk in left:
                    chunk.end(chunk.note)

    def end_chunk(self, lease: Lease, note: str) -> None:
        with self._call():
            self._held_chunk(lease).end(note)

    def end_account(self, lease: Lease, note: str) -> None:
        with self._call():
            given_back_at = self._held_chunk(lease).given_back_at
            if given_back_at is None or self.database.now - given_back_at < self._held_chunk(lease).silence_s:
                self.database.ended_early.append("a chunk was ended before another worker could take it.")
            for chunk in self._of(lease.chunk.run_no):
                if chunk.account == lease.account and not chunk.ended:
                    chunk.end(note)

    def reopen_chunk(self, lease: Lease, *, given_back: bool = False) -> None:
        with self._call():
            chunk = self._held_chunk(lease)
            chunk.epoch, chunk.owner, chunk.heartbeat_at = chunk.epoch + 1, "", None
            if given_back and chunk.given_back_at is None:
                chunk.given_back_at = self.database.now

    def _fenced(self, lease: Lease | None) -> ChunkRow | None:
        if lease is None:
            return None
        chunk = self.database.chunks[lease.chunk.run_no, lease.chunk.chunk_no]
        if chunk.epoch != lease.epoch:
            raise LostChunkError(
                f"Chunk {lease.chunk.chunk_no} of run {lease.chunk.run_no} has another owner, or it has ended.",
                advice="Nothing to do: the worker that has it now goes on with it.",
            )
        return chunk

    def _held_chunk(self, lease: Lease) -> ChunkRow:
        chunk = self._fenced(lease)
        assert chunk is not None
        return chunk

    def _sign(self, chunk: ChunkRow, requests: tuple[int, int, int] = (0, 0, 0)) -> None:
        chunk.heartbeat_at = self.database.now
        posts, gets, throttled = (one + more for one, more in zip(chunk.requests, requests, strict=True))
        chunk.requests = (posts, gets, throttled)
        if requests[0] > 0:
            chunk.given_back_at = None

    def _show(self, chunk: ChunkRow) -> None:
        run_no = chunk.chunk.run_no
        self.standing = Standing(self.database.stopped.get(run_no, ""), self.database.refused.get(run_no, 0))

    # -- pace ---------------------------------------------------------------------------------------------------------

    def reserve(self, credential: str, count: int, pace: Pace, lease: Lease | None = None) -> Reservation:
        with self._call():
            if (chunk := self._fenced(lease)) is not None:
                self._sign(chunk)
                self._show(chunk)
            now, row = self.database.now, self.database.paces.setdefault(credential, PaceRow())
            before = max(row.tat_at, now)
            row.tat_at, row.reserved = before + count * pace.interval_s, row.reserved + count
            return Reservation(count, before - now, row.tat_at)

    def give_back(self, credential: str, reservation: Reservation, unused: int, pace: Pace) -> None:
        with self._call():
            row = self.database.paces.get(credential)
            if row is not None and row.tat_at == reservation.end_at:
                count = min(unused, reservation.count)
                row.tat_at = max(row.tat_at - count * pace.interval_s, row.paused_to)
                row.reserved -= count

    def pause(self, credential: str, seconds: float, pace: Pace) -> None:
        with self._call():
            row = self.database.paces.setdefault(credential, PaceRow())
            demanded = self.database.now + seconds + (pace.burst - 1) * pace.interval_s
            row.tat_at, row.paused_to = max(row.tat_at, demanded), max(row.paused_to, demanded)

    def paused_s(self, credential: str, pace: Pace) -> float:
        with self._call():
            row = self.database.paces.get(credential, PaceRow())
            return max(0.0, row.paused_to - (pace.burst - 1) * pace.interval_s - self.database.now)

    # -- the whole ledger ---------------------------------------------------------------------------------------------

    def lock_alone(self, wait_s: float) -> None:
        self._hold("the ledger", alone=True)

    def lock_with_others(self, wait_s: float) -> None:
        self._hold("the ledger", alone=False)

    def hold_name(self, name: str) -> bool:
        with self._call():
            return self._may_hold(name, alone=True)

    def _hold(self, name: str, *, alone: bool) -> None:
        with self._call():
            if not self._may_hold(name, alone=alone):
                raise LockedError("Another program holds the ledger.", advice="Wait until it has ended.")

    def _may_hold(self, name: str, *, alone: bool) -> bool:
        others = [one._held[name] for one in self.database.sessions if one is not self and name in one._held]
        if any(others) or (alone and others):
            return False
        self._held[name] = alone or self._held.get(name, False)
        return True

    def time_base(self) -> TimeBase:
        with self._call():
            return TimeBase(None, self.database.now - self._elapsed())
