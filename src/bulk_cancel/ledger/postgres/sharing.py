"""What many workers need of a ledger: chunks with owners, one pace for all, and locks on the whole ledger.

A fenced call locks the row of its chunk for the length of its transaction, and a takeover changes that row. So one of
the two waits for the other: either the whole call is committed before the takeover, or nothing of it ever is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Chunk
from bulk_cancel.core.pacing import Pace
from bulk_cancel.errors import LockedError, LostChunkError
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.postgres.create import LOCKS
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.questions import Questions
from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.shared import ChunkRecord, Lease, Reservation, Standing
from bulk_cancel.ops.uptime import uptime

_POLL_S = 0.1
#: How often the clocks are compared; the comparison with the quickest answer counts.
_COMPARISONS = 3


class Sharing(Questions):
    """The part of `SharedLedger` beside the contract of all ledgers."""

    def __init__(self, session: Session, marks: Marks | None = None) -> None:
        super().__init__(marks)
        self._session = session
        self._lease: Lease | None = None
        self.standing = Standing()

    @property
    def place(self) -> str:
        """The address of the database, without password and options."""
        return self._session.place

    def _rows(self, name: str, *values: Any) -> list[Row]:
        return self._session.rows(name, *values)

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

    def plan_chunks(self, run_no: int, size: int) -> None:
        with self._session.transaction():
            self._session.run("lock_plan", LOCKS)
            self._session.run("plan_chunks", run_no, size)

    def chunks(self, run_no: int) -> Sequence[ChunkRecord]:
        return [_chunk_record(row) for row in self._rows("chunks", run_no, None)]

    def chunk(self, run_no: int, chunk_no: int) -> ChunkRecord | None:
        found = self._rows("chunks", run_no, chunk_no)
        return _chunk_record(found[0]) if found else None

    def open_chunks(self, run_no: int) -> tuple[bool, bool]:
        ((others, series),) = self._rows("open_chunks", run_no)
        return others, series

    def take_chunk(self, run_no: int, chunk_no: int, owner: str, silence_s: float) -> Lease | None:
        with self._session.transaction():
            found = self._session.run("take_chunk", run_no, chunk_no, owner, silence_s).fetchall()
        return Lease(_chunk(found[0]), found[0][4], *found[0][6:]) if found else None

    def silent_chunks(self, longer_than_s: float) -> Sequence[ChunkRecord]:
        return [_chunk_record(row) for row in self._rows("silent_chunks", float(longer_than_s))]

    def limit_transactions(self, seconds: float) -> None:
        """Let the server abort every transaction of this session that lasts longer, since others wait for its locks."""
        self._session.rows("limit_transactions", f"{math.ceil(seconds * 1000)}ms")

    def work_under(self, lease: Lease | None) -> None:
        self._lease = lease

    def heartbeat(self, lease: Lease, gets: int = 0, throttled: int = 0) -> None:
        with self._session.transaction():
            self._fence(lease, gets=gets, throttled=throttled)

    def stop_run(self, run_no: int, why: str) -> None:
        with self._session.transaction():
            self._session.run("stop_run", run_no, why)

    def end_given_up(self, run_no: int) -> None:
        with self._session.transaction():
            self._session.run("end_given_up", run_no)

    def end_chunk(self, lease: Lease, note: str) -> None:
        with self._fenced(lease):
            self._session.run("end_chunk", lease.chunk.run_no, lease.chunk.chunk_no, note)

    def end_account(self, lease: Lease, note: str) -> None:
        with self._fenced(lease):
            self._session.run("end_account", lease.chunk.run_no, lease.account, note)

    def reopen_chunk(self, lease: Lease, *, given_back: bool = False) -> None:
        with self._fenced(lease):
            self._session.run("reopen_chunk", lease.chunk.run_no, lease.chunk.chunk_no, given_back)

    def reserve(self, credential: str, count: int, pace: Pace, lease: Lease | None = None) -> Reservation:
        with self._fenced(lease):
            ((ahead_s, end_at),) = self._session.run("reserve", credential, count * pace.interval_s).fetchall()
        return Reservation(count, ahead_s, end_at)

    def give_back(self, credential: str, reservation: Reservation, unused: int, pace: Pace) -> None:
        span_s = min(unused, reservation.count) * pace.interval_s
        with self._session.transaction():
            self._session.run("give_back", credential, reservation.end_at, span_s)

    def pause(self, credential: str, seconds: float, pace: Pace) -> None:
        with self._session.transaction():
            self._session.run("pause", credential, seconds + (pace.burst - 1) * pace.interval_s)

    def paused_s(self, credential: str, pace: Pace) -> float:
        found = self._rows("paused_s", credential, (pace.burst - 1) * pace.interval_s)
        return float(found[0][0]) if found else 0.0

    def lock_alone(self, wait_s: float) -> None:
        self._hold_ledger("try_alone", wait_s)

    def hold_name(self, name: str) -> bool:
        return bool(self._session.value("try_name", LOCKS, name))

    def lock_with_others(self, wait_s: float) -> None:
        self._hold_ledger("try_with_others", wait_s)

    def holder_alone(self) -> tuple[int, str, float] | None:
        """Return the holder of the whole ledger: its process in the database, its host, since when; None: no holder."""
        found = self._rows("holder_alone", LOCKS)
        return (found[0][0], found[0][1], found[0][2]) if found else None

    def time_base(self) -> TimeBase:
        return min((self._compared() for _ in range(_COMPARISONS)), key=lambda compared: compared[0])[1]

    def _compared(self) -> tuple[float, TimeBase]:
        before = uptime()
        now = self._session.value("clock")
        took = uptime() - before
        return took, TimeBase(None, now - (before + took / 2))

    def _hold_ledger(self, attempt: str, wait_s: float) -> None:
        until = time.monotonic() + wait_s
        while not self._session.value(attempt, LOCKS):
            if time.monotonic() >= until:
                raise self._locked()
            time.sleep(_POLL_S)

    def _locked(self) -> LockedError:
        holders = self._rows("holders", LOCKS)
        who = "{} (process {} of the database, from {})".format(*holders[0]) if holders else "Another program"
        return LockedError(
            f"{who} holds the ledger {self.place}.",
            advice="Wait until it has ended, then run the same command again.",
        )


def _chunk_record(row: Row) -> ChunkRecord:
    return ChunkRecord(_chunk(row), row[4], *row[6:])


def _chunk(row: Row) -> Chunk:
    run_no, chunk_no, after_row, last_row, _, series = row[:6]
    return Chunk(run_no, chunk_no, after_row, last_row, series)
