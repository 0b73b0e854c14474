"""Counters of a run in memory, for progress and limits. The summary uses the ledger's own counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bulk_cancel.core.states import REFUSED, State


@dataclass
class Counters:
    """Counters of one run."""

    posts: int = 0
    gets: int = 0
    throttled: int = 0
    unseen: int = 0  #: cancels that were sent without a reading right before
    cached: int = 0  #: answers to reads that came from a cache and were too old to send by
    targets: int = 0  #: sendable ones at the start
    states: Counter[State] = field(
        default_factory=Counter
    )  #: targets that left their state in this run, by the new one
    in_flight: int = 0
    unknown: int = 0  #: of earlier runs, without a known outcome at the start
    waits: tuple[str, float] | None = None  #: what all workers wait for, and until when on the monotonic clock

    @contextmanager
    def waiting(self, why: str, until: float) -> Iterator[None]:
        """Show, during the block, what all workers wait for."""
        self.waits = (why, until)
        try:
            yield
        finally:
            self.waits = None

    @property
    def refused(self) -> int:
        """Number of targets that count as errors."""
        return sum(self.states[state] for state in REFUSED)

    def moved(self, was: State, becomes: State) -> None:
        """Count a change of a target's state."""
        if self.states[was] > 0:
            self.states[was] -= 1
        self.states[becomes] += 1
