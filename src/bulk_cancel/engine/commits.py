"""Group commit: everything that is recorded during a commit shares the next one.

Durability costs one fsync per commit, and a commit writes all that was recorded meanwhile: with one worker there is a
commit per event, with 64 workers one per 64 events.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from bulk_cancel.core.model import Entry
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ledger.port import Ledger, PaceUpdate

T = TypeVar("T")
#: Calls a function with its arguments outside of the event loop, and returns its result.
OffLoop = Callable[..., Awaitable[Any]]
#: Returns the current state of a limiter; None where the ledger knows it already.
Pacing = Callable[[], PaceUpdate | None]


@dataclass
class _Batch:
    entries: list[Entry] = field(default_factory=list)
    paces: dict[Pacing, None] = field(default_factory=dict)  #: limiters whose state it writes, each once
    done: anyio.Event = field(default_factory=anyio.Event)
    led: bool = False
    error: BaseException | None = None


class GroupCommit:
    """The engine's only way to the ledger: keeps the calls one at a time and off the event loop."""

    def __init__(self, ledger: Ledger, run_no: int, pace: Pacing, off_loop: OffLoop = to_thread.run_sync) -> None:
        self._queue = _Queue(ledger, run_no, off_loop)
        self._pace = pace

    def beside(self, pace: Pacing) -> GroupCommit:
        """Return one for a runner with a limiter of its own; both share their commits."""
        other = copy(self)
        other._pace = pace
        return other

    async def record(self, *entries: Entry) -> None:
        """Return when the entries and the limiter's state are durable.

        An error of the ledger is raised to every caller in the batch, and from then on nothing more is written: a
        failed write or fsync must not be tried again on the same file.
        """
        await self._queue.record(entries, self._pace)

    async def ask(self, question: Callable[[Ledger], T]) -> T:
        """Run any other call on the ledger, between two commits."""
        return await self._queue.ask(question)

    @property
    def failure(self) -> BulkCancelError | None:
        """The ledger's first error, for any caller; None without one."""
        return self._queue.failure


class _Queue:
    """The batch that is written next, and the lock of the calls."""

    def __init__(self, ledger: Ledger, run_no: int, off_loop: OffLoop) -> None:
        self._ledger = ledger
        self._run_no = run_no
        self._off_loop = off_loop
        self._turn = anyio.Lock()
        self._batch = _Batch()
        self._broken: BaseException | None = None
        self.failure: BulkCancelError | None = None

    async def record(self, entries: Sequence[Entry], pace: Pacing) -> None:
        batch = self._batch
        batch.entries.extend(entries)
        batch.paces[pace] = None
        if batch.led:
            await batch.done.wait()
        else:
            batch.led = True
            # The first caller in a batch commits for all: a cancelled scope must not interrupt it.
            with anyio.CancelScope(shield=True):
                await self._commit(batch)
        if batch.error is not None:
            raise batch.error

    async def _commit(self, batch: _Batch) -> None:
        async with self._turn:
            self._batch = _Batch()
            try:
                if self._broken is not None:
                    raise self._broken
                paces = [state for pace in batch.paces if (state := pace()) is not None]
                if batch.entries or paces:
                    await self._off_loop(self._ledger.append, self._run_no, batch.entries, *paces)
            except BaseException as error:
                self._broken = batch.error = error
                self._note(error)
            finally:
                batch.done.set()

    async def ask(self, question: Callable[[Ledger], T]) -> T:
        async with self._turn:
            try:
                answer: T = await self._off_loop(question, self._ledger)
            except BulkCancelError as error:
                self._note(error)
                raise
            return answer

    def _note(self, error: BaseException) -> None:
        if self.failure is None and isinstance(error, BulkCancelError):
            self.failure = error
