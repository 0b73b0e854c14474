"""Every implementation of the ledger's contract, given to every test in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger

#: Opens the test's one ledger; again and again it is the same ledger.
Open = Callable[[], Ledger]


def _sqlite(request: pytest.FixtureRequest) -> Open:
    folder: Path = request.getfixturevalue("tmp_path")
    return lambda: SqliteLedger.open(folder / "ledger.db")


def _postgres(request: pytest.FixtureRequest) -> Open:
    from support.dated_postgres import DatedPostgres

    url: str = request.getfixturevalue("emptied_url")
    return lambda: DatedPostgres.open(url)


_IMPLEMENTATIONS = {"sqlite": _sqlite, "postgres": _postgres}


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.process), "sqlite"])
def open_ledger(request: pytest.FixtureRequest) -> Iterator[Open]:
    open_one = _IMPLEMENTATIONS[request.param](request)
    opened: list[Ledger] = []

    def opens() -> Ledger:
        opened.append(open_one())
        return opened[-1]

    yield opens
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    return open_ledger()
