"""Where a ledger is and how it is opened: the only module that knows both kinds."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

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


class LedgerPlace(Protocol):
    """A place for one ledger. As text it is its path or address for people, without any password."""

    def exists(self) -> bool:
        """Return whether there is a ledger."""

    def reading(self) -> AbstractContextManager[Ledger]:
        """Open an existing ledger for reading. Raises LedgerError when there is none, or it is not one of ours."""

    def alone(
        self, wait_s: float = 0.0, once_locked: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[Ledger]:
        """Lock the ledger against all other processes and open it for writing; make it when there is none.

        `once_locked` is called in between: when it raises, nothing is made. Raises LockedError (exit 75) when another
        process holds the ledger for longer than `wait_s` seconds, and as opening does.
        """

    def refuse_lost(self) -> None:
        """Raise LedgerError when it is older than what this machine has seen of it, or gone."""

    def forget(self, refuse: Callable[[Mark], None] = lambda _: None) -> int:
        """Remove the marks of the ledger at this place; return the number of events that they knew.

        `refuse` is called with each mark before any is removed, and may raise.
        """

    def holder(self) -> Holder | None:
        """Return the process that holds the ledger now; None when none does."""


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A ledger in an SQLite file, for the processes of one machine."""

    path: Path
    marks: Marks

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Return whether the file exists. An empty file is a lost ledger: reading it raises LedgerError."""
        return self.path.exists()

    def reading(self) -> AbstractContextManager[Ledger]:
        """As `LedgerPlace` says."""
        return reading(self.path, self.marks)

    @contextmanager
    def alone(self, wait_s: float = 0.0, once_locked: Callable[[], None] = lambda: None) -> Iterator[Ledger]:
        """As `LedgerPlace` says; the lock is a file beside the ledger."""
        with locked(ledger_lock(self.path), f"the ledger {self.path}", wait_s):
            once_locked()
            ledger = SqliteLedger.open(self.path, self.marks)
            try:
                yield ledger
            finally:
                ledger.close()

    def refuse_lost(self) -> None:
        """As `LedgerPlace` says."""
        if not self.path.exists():
            self.marks.refuse_missing(place_of(self.path))
            return
        with reading(self.path, self.marks) as ledger:
            ledger.refuse_older()

    def forget(self, refuse: Callable[[Mark], None] = lambda _: None) -> int:
        """As `LedgerPlace` says. The mark of an existing file is removed, wherever it was opened last."""
        marks = self.marks.at(place_of(self.path))
        if self.path.exists():
            with locked(ledger_lock(self.path), f"the ledger {self.path}"), reading(self.path, self.marks) as ledger:
                marks += [own] if (own := ledger.mark()) and own not in marks else []
        return _forgotten(self.marks, marks, refuse)

    def holder(self) -> Holder | None:
        """As `LedgerPlace` says."""
        return holder_of(ledger_lock(self.path))


@dataclass(frozen=True, slots=True)
class LedgerDatabase:
    """A ledger in PostgreSQL, for the processes of many machines. Needs the extra `cluster`."""

    url: str = field(repr=False)  #: with the password, if it has one
    marks: Marks | None = None

    def __str__(self) -> str:
        return str(_postgres().place_of(self.url))

    def exists(self) -> bool:
        """As `LedgerPlace` says. Raises LedgerError when the database cannot be reached."""
        return bool(_postgres().has_ledger(self.url))

    @contextmanager
    def reading(self) -> Iterator[Ledger]:
        """As `LedgerPlace` says."""
        with closing(_postgres().PostgresLedger.open_to_read(self.url, marks=self.marks)) as ledger:
            yield ledger

    @contextmanager
    def alone(self, wait_s: float = 0.0, once_locked: Callable[[], None] = lambda: None) -> Iterator[Ledger]:
        """As `LedgerPlace` says; the lock belongs to the session and ends with it."""
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

    def refuse_lost(self) -> None:
        """As `LedgerPlace` says."""
        if not self.exists():
            if self.marks:
                self.marks.refuse_missing(str(self))
            return
        with closing(_postgres().PostgresLedger.open_to_read(self.url, marks=self.marks)) as ledger:
            ledger.refuse_older()

    def forget(self, refuse: Callable[[Mark], None] = lambda _: None) -> int:
        """As `LedgerPlace` says. Raises LedgerError when the database cannot be reached."""
        if self.marks is None:
            return 0
        marks = self.marks.at(str(self))
        if self.exists():
            with closing(_postgres().PostgresLedger.open_to_read(self.url, marks=self.marks)) as ledger:
                own = ledger.mark()
                marks += [own] if own and own not in marks else []
        return _forgotten(self.marks, marks, refuse)

    def holder(self) -> Holder | None:
        """As `LedgerPlace` says; the process is the database's for that session."""
        with closing(_postgres().PostgresLedger.open_to_read(self.url)) as ledger:
            found = ledger.holder_alone()
        return Holder(*found) if found else None


def _forgotten(known: Marks, marks: Sequence[Mark], refuse: Callable[[Mark], None]) -> int:
    for mark in marks:
        refuse(mark)
    for mark in marks:
        known.forget(mark)
    return sum(mark.seen.number for mark in marks)


def marks_of(state: Path) -> Marks:
    """Return the marks of this machine; `state` is the user's state folder."""
    return Marks(state / "ledgers")


def ledger_place(given: str | None, url: str, state: Path) -> LedgerPlace:
    """Return the place of the ledger: as `--ledger` says, else a file per API address in the state folder.

    Raises ConfigError for an unknown kind.
    """
    if given is not None and is_database(given):
        return LedgerDatabase(given, marks_of(state))
    return LedgerFile(ledger_path(given, url, state), marks_of(state))


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
