"""Group commit: one commit for whoever came meanwhile, and nothing after a failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import Entry
from bulk_cancel.core.states import Event, State
from bulk_cancel.engine.commits import GroupCommit
from bulk_cancel.ledger.port import PaceUpdate


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio


class SlowLedger:
    """Notes what each commit holds; fails when told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.error: Exception | None = None

    def append(self, run_no: int, entries: Sequence[Entry], pace: PaceUpdate | None = None) -> None:
        import time

        time.sleep(0.02)
        if self.error:
            raise self.error
        self.batches.append([entry.target_id for entry in entries])


def commits(ledger: Any) -> GroupCommit:
    return GroupCommit(ledger, 1, lambda: PaceUpdate("key", PaceRecord(0, 0, None)))


def entry(number: int) -> Entry:
    return Entry(number, Event.INTENT, State.PENDING, 1, 0.0)


async def test_entries_that_come_during_a_commit_share_the_next() -> None:
    ledger = SlowLedger()
    group = commits(ledger)
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(group.record, entry(number))
    assert sorted(number for batch in ledger.batches for number in batch) == list(range(50))
    assert len(ledger.batches) <= 3


async def test_a_failed_commit_fails_its_whole_batch_and_is_not_tried_again() -> None:
    ledger = SlowLedger()
    ledger.error = OSError("no space")
    group, failed = commits(ledger), []

    async def record(number: int) -> None:
        try:
            await group.record(entry(number))
        except OSError:
            failed.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(record, number)
    assert sorted(failed) == list(range(10))
    ledger.error = None
    with pytest.raises(OSError, match="no space"):
        await group.record(entry(99))
    assert ledger.batches == []


async def test_a_cancelled_scope_does_not_stop_a_commit_for_the_others() -> None:
    ledger = SlowLedger()
    group, done = commits(ledger), []

    async def follow() -> None:
        await group.record(entry(2))
        done.append(2)

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(follow)
            scope.cancel()
            await group.record(entry(1))
    assert done == [2]
    assert sorted(number for batch in ledger.batches for number in batch) == [1, 2]


async def test_accounts_share_a_commit_that_has_each_limit_once() -> None:
    batches: list[tuple[list[int], list[str]]] = []

    class Ledger(SlowLedger):
        def append(self, run_no: int, entries: Sequence[Entry], *paces: PaceUpdate) -> None:
            super().append(run_no, entries)
            batches.append(([entry.target_id for entry in entries], [pace.credential for pace in paces]))

    first = commits(Ledger())
    second = first.beside(lambda: PaceUpdate("other", PaceRecord(0, 0, None)))
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon((first if number % 2 else second).record, entry(number))
    assert len(batches) <= 3
    assert sorted(batches[-1][1]) == ["key", "other"]
