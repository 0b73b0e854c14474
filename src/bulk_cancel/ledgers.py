"""Where a ledger is kept and how it is opened: the only module that knows every kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ledger.sqlite import SqliteLedger, reading
from bulk_cancel.ops.locks import Holder, held, holder_of
from bulk_cancel.places import ledger_lock, ledger_path


class LedgerPlace(Protocol):
    """A place for one ledger. As text it is what people call it, without any password."""

    def exists(self) -> bool:
        """Tell whether there is a ledger to be read."""

    def reading(self) -> AbstractContextManager[Ledger]:
        """Open an existing ledger that stays as it is. Raises LedgerError when there is none, or none that is ours."""

    def alone(self, wait_s: float = 0.0) -> AbstractContextManager[Ledger]:
        """Hold the ledger against everybody else and open it for writing; make it when there is none.

        Raises LockedError (exit 75) when somebody holds it for longer than `wait_s` seconds; else as opening does.
        """

    def holder(self) -> Holder | None:
        """Return who holds the ledger at this moment."""


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A ledger in an SQLite file, for the processes of one machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """An empty file is no new ledger, but a lost one: whoever reads it is told so."""
        return self.path.exists()

    def reading(self) -> AbstractContextManager[Ledger]:
        """As `LedgerPlace` says."""
        return reading(self.path)

    @contextmanager
    def alone(self, wait_s: float = 0.0) -> Iterator[Ledger]:
        """As `LedgerPlace` says; the lock is a file beside the ledger."""
        with held(ledger_lock(self.path), f"the ledger {self.path}", wait_s):
            ledger = SqliteLedger.open(self.path)
            try:
                yield ledger
            finally:
                ledger.close()

    def holder(self) -> Holder | None:
        """As `LedgerPlace` says."""
        return holder_of(ledger_lock(self.path))


def ledger_place(given: str | None, url: str) -> LedgerPlace:
    """Return where the ledger is: as `--ledger` says, else a file per API address. ConfigError for an unknown kind."""
    return LedgerFile(ledger_path(given, url))
