"""The ledger in one PostgreSQL database. See `port` and `shared` for the contract, `session` for the durability."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from bulk_cancel.core.model import Entry, InputRow, Scope
from bulk_cancel.core.states import REFUSED, UNANSWERED, Event, State, next_state
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.high_water import Keeper, Marks, id_of, seen_now, unseen
from bulk_cancel.ledger.port import Health, PaceUpdate, RunStart
from bulk_cancel.ledger.postgres import appending, staging
from bulk_cancel.ledger.postgres import integrity as chain
from bulk_cancel.ledger.postgres.create import has_tables, make_ready, refuse_missing, version_of
from bulk_cancel.ledger.postgres.session import connect
from bulk_cancel.ledger.postgres.sharing import Sharing
from bulk_cancel.ledger.records import Row, scoped, staged_state

_OLDER = "", "A dump, a snapshot or a standby that lags does not have the newest events: restore the newest one."


class PostgresLedger(Sharing):
    """One connection. Not for use by two threads at the same time; many ledger objects may share a database."""

    _keeper: Keeper | None = None

    @classmethod
    def open(cls, url: str, name: str = "", marks: Marks | None = None) -> Self:
        """Open the ledger of a database for writing, making its schema `bulk_cancel` when there is none.

        `name` is shown after `bulk-cancel` in pg_stat_activity, and to processes that this one keeps out. Raises
        ConfigError when `url` is not a URL, LedgerError when the database cannot be reached or its ledger is not of
        this program, or older than its mark in `marks`.
        """
        session = connect(url, name=name)
        try:
            if marks and not has_tables(session):
                marks.refuse_missing(session.place)
            make_ready(session)
            ledger = cls(session, marks)
            ledger._recognise()
        except BaseException:
            session.close()
            raise
        return ledger

    @classmethod
    def open_to_read(cls, url: str, name: str = "", marks: Marks | None = None) -> Self:
        """Open an existing ledger in a session that may not write. Errors as `open` says, and when there is none."""
        session = connect(url, name=name, read_only=True)
        try:
            refuse_missing(session)
        except BaseException:
            session.close()
            raise
        return cls(session, marks)

    def _recognise(self) -> None:
        """Refuse a ledger that is not what this machine has seen; else renew its mark. Raises LedgerError."""
        if self._marks:
            mark = self.mark()
            self.refuse_older()
            newest = seen_now(self._rows)
            self.notice = unseen(self.place, newest.number) if mark is None and newest.number else ""
            self._keeper = self._marks.keep(id_of(self._rows), self.place, newest)

    def _how_older(self) -> tuple[str, str]:
        return _OLDER

    def close(self) -> None:
        """Close the connection, which releases its locks; a second time does nothing."""
        self._session.close()
        if self._keeper:
            self._keeper.close()
            self._keeper = None

    # -- writing ------------------------------------------------------------------------------------------------------

    def append(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> None:
        settle_s = self._settle_s(run_no) if self._keeper and entries else 0.0
        last = self._appended(run_no, entries, *paces)
        if self._keeper and last:
            if any(entry.event in UNANSWERED for entry in entries):
                self._keeper.heard(last.at, settle_s)
            if not _leaves_open(entries):
                with suppress(LedgerError):  # the batch is durable: a connection that is lost is told of the next call
                    self._keeper.clear_answered(self._rows)
            self._keeper.move(last.event_id, last.digest)

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

    def _chunk_no(self, run_no: int) -> int:
        """Return the number of the chain to extend: each chunk has its own."""
        chunk = self._lease.chunk if self._lease else None
        return chunk.chunk_no if chunk and chunk.run_no == run_no else 0

    def _transaction(self) -> AbstractContextManager[None]:
        return self._session.transaction()

    # -- reading: each call sees what was committed when it began -----------------------------------------------------

    def _ids(self, ids: Collection[str]) -> list[str]:
        return [*ids]

    def states_of(self, rows: Sequence[InputRow], *, retry_refused: bool = False) -> list[State | None]:
        found = self._rows("states_of", *_keys_of(rows))
        return [
            staged_state(row, known, retry_refused=retry_refused) if known[0] else None
            for row, known in zip(rows, found, strict=True)
        ]

    def mailed_of(self, rows: Sequence[InputRow]) -> list[str | None]:
        return [row[0] for row in self._rows("mailed_of", *_keys_of(rows))]

    def all_events(self) -> Iterator[Row]:
        return self._session.pages("all_events", hold=True)

    def backup(self, to: Path) -> None:
        raise LedgerError(
            f"The ledger {self.place} is copied with the database's own tools.",
            advice=f"Type: pg_dump --format=custom --schema=bulk_cancel --file={to} (and the database's address)",
        )

    def _wrong(self) -> list[str]:
        return chain.verify(self._session)

    def health(self, *, pages: bool) -> Health:
        """As the contract says. The server checks its own pages, so `fault` is always empty."""
        journal = "wal" if self._session.value("durability") == "on" else "wal without fsync"
        return Health(version_of(self._session), journal, "")


def has_ledger(url: str) -> bool:
    """Return whether a database has a ledger. Raises as `PostgresLedger.open_to_read` does for anything else."""
    with closing(connect(url, read_only=True)) as session:
        return has_tables(session)


def _leaves_open(entries: Sequence[Entry]) -> bool:
    """Tell whether the last entry of any target leaves it without an answer."""
    return any(event in UNANSWERED for event in {entry.target_id: entry.event for entry in entries}.values())


def _posts_of(entries: Sequence[Entry]) -> int:
    """Return the number of cancels sent: each intent is one, unless its record says that no byte left."""
    intents = sum(entry.event is Event.INTENT for entry in entries)
    return intents - sum(entry.event is Event.NOT_APPLIED and entry.http_status is None for entry in entries)


def _keys_of(rows: Sequence[InputRow]) -> tuple[list[str | None], list[str], list[bool]]:
    """Return the keys of the rows' targets, as one list per column."""
    attendees = [row.attendee_id or "" for row in rows]
    return [row.appointment_id for row in rows], attendees, [row.entire_series for row in rows]
