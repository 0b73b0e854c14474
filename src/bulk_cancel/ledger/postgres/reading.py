"""The calls that read the ledger. Each sees what was committed when it began."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from bulk_cancel.core.model import InputRow, Scope, Work
from bulk_cancel.core.states import State
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.port import ALL_ROWS, Health
from bulk_cancel.ledger.postgres.create import version_of
from bulk_cancel.ledger.postgres.integrity import verify
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.questions import Questions
from bulk_cancel.ledger.records import Row, numbered_work_of, scoped, staged_state


class Reading(Questions):
    """The reading half of the contract."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.notice = ""

    def _rows(self, name: str, *values: Any) -> list[Row]:
        return self._session.rows(name, *values)

    @property
    def place(self) -> str:
        """The address of the database, without password and options."""
        return self._session.place

    def listed_work(self, run_no: int, appointment_ids: Collection[str], *, scope: Scope = ALL_ROWS) -> list[Work]:
        account, _, after, last, series = scoped(scope)
        if series:
            return []
        given = (run_no, after, False, len(appointment_ids) * 100, account, last, [*appointment_ids])
        return [numbered_work_of(row)[1] for row in self._rows("listed_work", *given)]

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

    def verify(self) -> list[str]:
        return verify(self._session)

    def health(self, *, pages: bool) -> Health:
        """As the contract says. The server checks its own pages, so `fault` is always empty."""
        journal = "wal" if self._session.value("durability") == "on" else "wal without fsync"
        return Health(version_of(self._session), journal, "")


def _keys_of(rows: Sequence[InputRow]) -> tuple[list[str | None], list[str], list[bool]]:
    """Return the keys of the rows' targets, as one list per column."""
    attendees = [row.attendee_id or "" for row in rows]
    return [row.appointment_id for row in rows], attendees, [row.entire_series for row in rows]
