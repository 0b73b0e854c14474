"""What reads the ledger. Each call sees what was committed when it began."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import InputRow, Scope, Work
from bulk_cancel.core.states import State
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.port import (
    ALL_ROWS,
    Concern,
    Health,
    HistoryLine,
    Naming,
    RowRecord,
    RunRecord,
    Unknown,
)
from bulk_cancel.ledger.postgres.create import version_of
from bulk_cancel.ledger.postgres.integrity import verify
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.records import Row, numbered_work_of, row_record_of, scoped, staged_state, work_of


class Reading:
    """The reading half of the contract."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = session.rows
        self.notice = ""

    @property
    def place(self) -> str:
        """The address of the database, without password and options."""
        return self._session.place

    def work(
        self, run_no: int, after_row: int, *, series: bool, limit: int, scope: Scope = ALL_ROWS
    ) -> list[tuple[int, Work]]:
        account, _, first, last, _ = scoped(scope)
        if scope.chunk and scope.chunk.series != series:
            return []
        after = max(after_row, first)
        return [numbered_work_of(row) for row in self._rows("work", run_no, after, series, limit, account, last)]

    def listed_work(self, run_no: int, appointment_ids: Collection[str], *, scope: Scope = ALL_ROWS) -> list[Work]:
        account, _, after, last, series = scoped(scope)
        if series:
            return []
        given = (run_no, after, False, len(appointment_ids) * 100, account, last, [*appointment_ids])
        return [numbered_work_of(row)[1] for row in self._rows("listed_work", *given)]

    def acting_users(self, run_no: int, *, scope: Scope = ALL_ROWS) -> dict[str | None, int]:
        account, _, after, last, series = scoped(scope)
        return {} if series else dict(self._rows("acting_users", run_no, after, last, account))

    def unknown(self, after_target: int, limit: int, scope: Scope | None = None) -> list[Unknown]:
        return [
            Unknown(work_of(row[:15]), row[15], None, *row[16:])
            for row in self._rows("unknown", after_target, limit, *scoped(scope))
        ]

    def unknown_count(self, scope: Scope | None = None) -> int:
        return int(self._session.value("unknown_count", *scoped(scope)))

    def sendable_count(self, run_no: int, scope: Scope | None = None) -> int:
        return int(self._session.value("sendable_count", run_no, *scoped(scope)))

    def accounts(self, run_no: int) -> list[str]:
        return [str(row[0]) for row in self._rows("accounts", run_no)]

    def counts(self, run_no: int) -> Mapping[State | None, int]:
        return self._counts(run_no, firsts=False)

    def _counts(self, run_no: int, *, firsts: bool) -> dict[State | None, int]:
        return {State(state) if state else None: count for state, count in self._rows("counts", run_no, firsts)}

    def target_states(self, run_no: int) -> Mapping[State, int]:
        return {state: count for state, count in self._counts(run_no, firsts=True).items() if state is not None}

    def target_count(self, run_no: int) -> int:
        return int(self._session.value("target_count", run_no))

    def rows(self, run_no: int, after_row: int, limit: int) -> list[RowRecord]:
        return [row_record_of(row) for row in self._rows("rows", run_no, after_row, limit)]

    def states_of(self, rows: Sequence[InputRow], *, retry_before: float | None = None) -> list[State | None]:
        keys = [[row.appointment_id for row in rows], [row.attendee_id or "" for row in rows]]
        found = self._rows("states_of", *keys, [row.entire_series for row in rows])
        return [
            staged_state(row, known, retry_before) if known[0] else None for row, known in zip(rows, found, strict=True)
        ]

    def find_targets(self, appointment_id: str) -> list[Work]:
        return [work_of(row) for row in self._rows("find_target", appointment_id)]

    def history(self, target_id: int) -> list[HistoryLine]:
        return [HistoryLine(*row) for row in self._rows("history", target_id)]

    def all_events(self) -> Iterator[Row]:
        return self._session.pages("all_events", hold=True)

    def runs(self, run_id: str = "", limit: int = 20) -> list[RunRecord]:
        return [RunRecord(*row) for row in self._rows("runs", run_id, limit)]

    def concerns(self, run_no: int) -> Mapping[Concern, int]:
        return dict(zip(Concern, self._rows("concerns", run_no)[0], strict=True))

    def concerning_rows(self, run_no: int, concern: Concern, limit: int) -> list[RowRecord]:
        return [row_record_of(row) for row in self._rows("concerning_rows", run_no, concern.value, limit)]

    def send_span(self, run_no: int) -> tuple[float, float] | None:
        ((first_at, last_at),) = self._rows("send_span", run_no)
        return None if first_at is None else (first_at, last_at)

    def sends(self, run_no: int, since: float, width_s: float) -> list[tuple[int, int]]:
        return [(number, count) for number, count in self._rows("sends", run_no, since, width_s)]

    def load_pace(self, credential: str) -> PaceRecord | None:
        found = self._rows("load_pace", credential)
        return PaceRecord(*found[0]) if found else None

    def backup(self, to: Path) -> None:
        raise LedgerError(
            f"The ledger {self.place} is copied with the database's own tools.",
            advice=f"Type: pg_dump --format=custom --schema=bulk_cancel --file={to} (and the database's address)",
        )

    def meta(self, key: str) -> str | None:
        """Return a fact about the ledger."""
        found = self._rows("get_meta", key)
        return str(found[0][0]) if found else None

    def verify(self) -> list[str]:
        return verify(self._session)

    def namings(self, appointment_id: str, limit: int) -> list[Naming]:
        return [Naming(*row) for row in self._rows("namings", appointment_id, limit)]

    def health(self, *, pages: bool) -> Health:
        """As the contract says. The pages are the server's affair: `fault` is always empty."""
        journal = "wal" if self._session.value("durability") == "on" else "wal without fsync"
        return Health(version_of(self._session), journal, "")
