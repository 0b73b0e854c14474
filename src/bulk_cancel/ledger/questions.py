"""What both databases do alike: by statements of the same name, read in the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import Scope, Work
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.states import State
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.high_water import Mark, Marks, id_of, newest_event, refuse_older
from bulk_cancel.ledger.port import ALL_ROWS, Concern, HistoryLine, Naming, RowRecord, RunRecord, Unknown
from bulk_cancel.ledger.records import Row, row_record_of, scoped, unknown_of, work_of


class Questions(ABC):
    """Answers by the statements in `ledger/sql`. `port` describes the calls."""

    notice = ""

    def __init__(self, marks: Marks | None) -> None:
        self._marks = marks
        self._settles: dict[int, float] = {}  #: seconds, by run

    @property
    @abstractmethod
    def place(self) -> str:
        """Its path or address for people, without any password."""

    @property
    def _marked_as(self) -> str:
        """Its path or address as its mark records it."""
        return self.place

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """Run the block as one transaction, durable when the block ends."""

    @abstractmethod
    def _rows(self, name: str, *values: Any) -> list[Row]:
        """Run the statement of this name and return its rows."""

    @abstractmethod
    def _ids(self, ids: Collection[str]) -> Any:
        """Return ids as the statements take them."""

    @abstractmethod
    def _how_older(self) -> tuple[str, str]:
        """Return what is said of a ledger that is older than its mark, as `high_water.refuse_older` takes it."""

    @abstractmethod
    def _wrong(self) -> list[str]:
        """Return everything that is wrong with the ledger by itself, in sentences."""

    def bind(self, key: str, value: str) -> str:
        with self._transaction():
            self._rows("set_meta", key, value)
        return self.meta(key) or value

    def _settle_s(self, run_no: int) -> float:
        if run_no not in self._settles:
            self._settles[run_no] = float(self._rows("settle_of", run_no)[0][0])
        return self._settles[run_no]

    def mark(self) -> Mark | None:
        """Return what this machine has seen of the ledger."""
        return self._marks.of(id_of(self._rows)) if self._marks else None

    def refuse_older(self) -> None:
        """Raise LedgerError when it is older than what this machine has seen of it, or in the place of another one."""
        refuse_older(self._rows, self.place, self.mark(), self._how_older())
        if self._marks:
            self._marks.refuse_missing(self._marked_as, id_of(self._rows))

    def verify(self) -> list[str]:
        return [*self._missing(), *self._wrong()]

    def newest_event(self) -> tuple[int, str]:
        return newest_event(self._rows)

    def _missing(self) -> Iterator[str]:
        try:
            self.refuse_older()
        except LedgerError as error:
            yield str(error)

    def work(
        self, run_no: int, after_row: int, *, series: bool, limit: int, scope: Scope = ALL_ROWS
    ) -> list[tuple[int, Work]]:
        account, _, first, last, _ = scoped(scope)
        if scope.chunk and scope.chunk.series != series:
            return []
        after = max(after_row, first)
        return [(row[0], work_of(row[1:])) for row in self._rows("work", run_no, after, series, limit, account, last)]

    def listed_work(self, run_no: int, appointment_ids: Collection[str], *, scope: Scope = ALL_ROWS) -> list[Work]:
        account, _, after, last, series = scoped(scope)
        if series:
            return []
        given = (run_no, after, False, len(appointment_ids) * 100, account, last, self._ids(appointment_ids))
        return [work_of(row[1:]) for row in self._rows("listed_work", *given)]

    def acting_users(self, run_no: int, *, scope: Scope = ALL_ROWS) -> dict[str | None, int]:
        account, _, after, last, series = scoped(scope)
        return {} if series else dict(self._rows("acting_users", run_no, after, last, account))

    def unknown(self, after_target: int, limit: int, scope: Scope | None = None) -> list[Unknown]:
        return [unknown_of(row) for row in self._rows("unknown", *scoped(scope), after_target, limit)]

    def unknown_count(self, scope: Scope | None = None) -> int:
        return int(self._rows("unknown_count", *scoped(scope))[0][0])

    def sendable_count(self, run_no: int, scope: Scope | None = None) -> int:
        return int(self._rows("sendable_count", *scoped(scope), run_no)[0][0])

    def may_send_more(self, run_no: int, scope: Scope | None = None) -> bool:
        return bool(self._rows("may_send_more", *scoped(scope), run_no)[0][0])

    def waiting_count(self) -> int:
        return int(self._rows("waiting_count")[0][0])

    def left_by_run(self) -> Mapping[int, int]:
        return dict(self._rows("left_by_run"))

    def accounts(self, run_no: int) -> list[str]:
        return [str(row[0]) for row in self._rows("accounts", run_no)]

    def counts(self, run_no: int) -> Mapping[State | None, int]:
        return self._counts(run_no, firsts=False)

    def targets_by_state(self, run_no: int) -> Mapping[State, int]:
        return {state: count for state, count in self._counts(run_no, firsts=True).items() if state is not None}

    def _counts(self, run_no: int, *, firsts: bool) -> dict[State | None, int]:
        """Count the rows, or with `firsts` the targets, in each state; None: invalid rows."""
        counts = self._rows("counts", run_no, firsts)[0]
        return {state: count for state, count in zip((*State, None), counts, strict=True) if count}

    def target_count(self, run_no: int) -> int:
        return int(self._rows("target_count", run_no)[0][0])

    def rows(self, run_no: int, after_row: int, limit: int) -> list[RowRecord]:
        return [row_record_of(row) for row in self._rows("rows", run_no, after_row, limit)]

    def find_targets(self, appointment_id: str) -> list[Work]:
        return [work_of(row) for row in self._rows("find_target", appointment_id)]

    def history(self, target_id: int) -> list[HistoryLine]:
        return [HistoryLine(*row) for row in self._rows("history", target_id)]

    def runs(self, run_id: str = "", limit: int = 20) -> list[RunRecord]:
        return [RunRecord(*(*row[:-1], Provenance.from_json(row[-1]))) for row in self._rows("runs", run_id, limit)]

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

    def meta(self, key: str) -> str | None:
        found = self._rows("get_meta", key)
        return str(found[0][0]) if found else None

    def namings(self, appointment_id: str, limit: int) -> list[Naming]:
        return [Naming(*row) for row in self._rows("namings", appointment_id, limit)]
