"""Where a ledger is and how it is opened: the only module that knows both kinds."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import ledger_lock, ledger_path
from bulk_cancel.engine.clock import Clock
from bulk_cancel.errors import ConfigError
from bulk_cancel.ledger.high_water import Mark, Marks
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ledger.shared import SharedLedger
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger, reading
from bulk_cancel.ledger.sqlite.recognise import place_of
from bulk_cancel.ops.locks import Holder, holder_of, locked
from bulk_cancel.settings.environment import canonical_api


class MarkedLedger(Ledger, Protocol):
    """A ledger that knows what this machine has seen of it."""

    def refuse_older(self) -> None:
        """Raise LedgerError when it is older than its mark, or in the place of another one."""

    def mark(self) -> Mark | None:
        """Return its mark; None when this machine has not seen it."""


class LedgerPlace(ABC):
    """A place for one ledger. As text it is its path or address for people, without any password."""

    marks: Marks

    @abstractmethod
    def exists(self) -> bool:
        """Return whether there is a ledger."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[MarkedLedger]:
        """Open an existing ledger for reading. Raises LedgerError when there is none, or it is not one of ours."""

    @abstractmethod
    def alone(
        self, wait_s: float = 0.0, once_locked: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[Ledger]:
        """Lock the ledger against all other processes and open it for writing; make it when there is none.

        `once_locked` is called in between: when it raises, nothing is made. Raises LockedError (exit 75) when another
        process holds the ledger for longer than `wait_s` seconds, and as opening does.
        """

    @abstractmethod
    def holder(self) -> Holder | None:
        """Return the process that holds the ledger now; None when none does."""

    def refuse_lost(self) -> None:
        """Raise LedgerError when it is older than what this machine has seen of it, or gone."""
        if self.exists():
            with self.reading() as ledger:
                ledger.refuse_older()
        else:
            self.marks.refuse_missing(self._marked_as)

    def forget(self, refuse: Callable[[Mark], None] = lambda _: None) -> int:
        """Remove the marks of the ledger at this place, wherever it was opened last; return how many events they knew.

        `refuse` is called with each mark before any is removed, and may raise.
        """
        marks = self.marks.at(self._marked_as)
        if self.exists():
            with self._locked(), self.reading() as ledger:
                marks += [own] if (own := ledger.mark()) and own not in marks else []
        for mark in marks:
            refuse(mark)
        for mark in marks:
            self.marks.forget(mark)
        return sum(mark.seen.number for mark in marks)

    @property
    def _marked_as(self) -> str:
        return str(self)

    def _locked(self, wait_s: float = 0.0) -> AbstractContextManager[object]:
        """Lock what others may open meanwhile, where reading alone does not suffice."""
        return nullcontext()


@dataclass(frozen=True, slots=True)
class LedgerFile(LedgerPlace):
    """A ledger in an SQLite file, for the processes of one machine. Its lock is a file beside it."""

    path: Path
    marks: Marks

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Return whether the file exists. An empty file is a lost ledger: reading it raises LedgerError."""
        return self.path.exists()

    def reading(self) -> AbstractContextManager[MarkedLedger]:
        return reading(self.path, self.marks)

    @contextmanager
    def alone(self, wait_s: float = 0.0, once_locked: Callable[[], None] = lambda: None) -> Iterator[Ledger]:
        with self._locked(wait_s):
            once_locked()
            with closing(SqliteLedger.open(self.path, self.marks)) as ledger:
                yield ledger

    def holder(self) -> Holder | None:
        return holder_of(ledger_lock(self.path))

    @property
    def _marked_as(self) -> str:
        return place_of(self.path)

    def _locked(self, wait_s: float = 0.0) -> AbstractContextManager[object]:
        return locked(ledger_lock(self.path), f"the ledger {self.path}", wait_s)


@dataclass(frozen=True, slots=True)
class LedgerDatabase(LedgerPlace):
    """A ledger in PostgreSQL, for the processes of many machines. Its lock belongs to the session and ends with it.

    Needs the extra `cluster`. All calls raise LedgerError when the database cannot be reached.
    """

    url: str = field(repr=False)  #: with the password, if it has one
    marks: Marks

    def __str__(self) -> str:
        return str(_postgres().place_of(self.url))

    def exists(self) -> bool:
        return bool(_postgres().has_ledger(self.url))

    @contextmanager
    def reading(self) -> Iterator[MarkedLedger]:
        with closing(_postgres().PostgresLedger.open_to_read(self.url, marks=self.marks)) as ledger:
            yield ledger

    @contextmanager
    def alone(self, wait_s: float = 0.0, once_locked: Callable[[], None] = lambda: None) -> Iterator[Ledger]:
        with closing(_postgres().PostgresLedger.open(self.url, marks=self.marks)) as ledger:
            ledger.lock_alone(wait_s)
            once_locked()
            yield ledger

    @contextmanager
    def together(self, wait_s: float = 0.0) -> Iterator[SharedLedger]:
        """Open the ledger together with workers, against those that open it alone. Raises as `alone` does."""
        with closing(_postgres().PostgresLedger.open(self.url, marks=self.marks)) as ledger:
            ledger.lock_with_others(wait_s)
            yield ledger

    def holder(self) -> Holder | None:
        """Return the database's process for the session that holds the ledger."""
        with closing(_postgres().PostgresLedger.open_to_read(self.url)) as ledger:
            found = ledger.holder_alone()
        return Holder(*found) if found else None


def ledger_place(given: str | None, url: str, state: Path) -> LedgerPlace:
    """Return the place of the ledger: as `--ledger` says, else a file per API address in the state folder.

    Raises ConfigError for an unknown kind.
    """
    marks = Marks(state / "ledgers")
    if given is not None and is_database(given):
        return LedgerDatabase(given, marks)
    return LedgerFile(ledger_path(given, url, state), marks)


def is_database(given: str) -> bool:
    """Return whether a ledger is named by a PostgreSQL URL."""
    return given.startswith(("postgresql://", "postgres://"))


def shared_of(ledger: Ledger) -> SharedLedger | None:
    """Return a ledger as a `SharedLedger`; None for one that only this process may write."""
    return cast(SharedLedger, ledger) if hasattr(ledger, "reserve") else None


def clock_of(ledger: Ledger, clock: Clock) -> Clock:
    """Return the clock of the ledger's times: the database's, or the given one of this machine."""
    shared = shared_of(ledger)
    return replace(clock, base=shared.time_base()) if shared else clock


def free_run_id(ledger: Ledger, machine: Machine, wished: str = "") -> str:
    """Return the wished id for a new run, or another when a run of the ledger has it: it may be of the same second."""
    run_id = wished or machine.new_run_id()
    while ledger.runs(run_id):
        run_id = machine.new_run_id()
    return run_id


def refuse_other_api(ledger: Ledger, url: str) -> None:
    """Raise ConfigError when the ledger belongs to another API. (The runner binds it, once the API has answered.)"""
    bound = ledger.meta("api_url")
    if bound is not None and bound != canonical_api(url):
        raise ConfigError(
            f"The ledger {ledger.place} belongs to the API at {bound}, not to {url}.",
            advice="Name another --ledger, or correct MEETERGO_API_URL. Nothing was sent.",
        )


def _postgres() -> ModuleType:
    try:
        return importlib.import_module("bulk_cancel.ledger.postgres")
    except ImportError as error:
        raise ConfigError(
            "A ledger in PostgreSQL needs the extra [cluster].", advice="In the checkout: pip install '.[cluster]'"
        ) from error
