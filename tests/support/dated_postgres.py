"""A PostgreSQL ledger whose server has the time that a test's calls name, so that one contract is tested for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from bulk_cancel.core.model import Entry, InputRow, Scope
from bulk_cancel.ledger.port import PaceUpdate, RunStart
from bulk_cancel.ledger.postgres import PostgresLedger

_CLOCK = """CREATE OR REPLACE FUNCTION wall_clock() RETURNS double precision LANGUAGE sql VOLATILE
RETURN coalesce(nullif(current_setting('test.now', true), '')::double precision,
  extract(epoch FROM clock_timestamp())::double precision)"""


class DatedPostgres(PostgresLedger):
    """Sets the server's clock before each call that says when it is."""

    @classmethod
    def open(cls, url: str, name: str = "") -> Self:
        ledger = super().open(url, name)
        ledger._session.connection.execute(_CLOCK)
        return ledger

    def _set_clock(self, at: float) -> None:
        self._session.connection.execute("SELECT set_config('test.now', %s, false)", (repr(at),))

    def append(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> None:
        if entries:
            self._set_clock(entries[-1].at)
        super().append(run_no, entries, *paces)

    def begin_run(self, start: RunStart) -> int:
        self._set_clock(start.started_at)
        return super().begin_run(start)

    def stage(self, run_no: int, rows: Sequence[InputRow], at: float, *, retry_refused: bool = False) -> None:
        self._set_clock(at)
        super().stage(run_no, rows, at, retry_refused=retry_refused)

    def end_run(self, run_no: int, at: float, summary: str) -> None:
        self._set_clock(at)
        super().end_run(run_no, at, summary)

    def recover(self, run_no: int, at: float, scope: Scope | None = None) -> int:
        self._set_clock(at)
        return super().recover(run_no, at, scope)
