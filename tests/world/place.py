"""The world's database as a place for a ledger: what a command on the operator's machine opens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bulk_cancel.access.ledgers import LedgerDatabase
from bulk_cancel.ledger.high_water import Marks
from world.database import Database
from world.process import Host

URL = "postgresql://world/ledger"


@dataclass(frozen=True, slots=True)
class DatabasePlace(LedgerDatabase):
    """The world's database, as the operator's machine reaches it."""

    url: str = URL
    marks: Marks = None  # type: ignore[assignment]
    database: Database = None  # type: ignore[assignment]
    elapsed: Callable[[], float] = lambda: 0.0

    def __str__(self) -> str:
        return URL

    def exists(self) -> bool:
        return True

    @contextmanager
    def reading(self) -> Any:
        session = self.database.connect(self.elapsed)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def alone(self, wait_s: float = 0.0, once_locked: Callable[[], None] = lambda: None) -> Any:
        with self.reading() as session:
            session.lock_alone(wait_s)
            once_locked()
            yield session

    @contextmanager
    def together(self, wait_s: float = 0.0) -> Any:
        with self.reading() as session:
            session.lock_with_others(wait_s)
            yield session

    def holder(self) -> None:
        return None


def place_of(database: Database, host: Host) -> DatabasePlace:
    """Return the ledger as a machine reaches it."""
    return DatabasePlace(database=database, elapsed=host.elapsed)
