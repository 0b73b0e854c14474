"""What a run has done so far: counted in memory for progress and limits. The ledger's own count is the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bulk_cancel.core.states import REFUSED, State


@dataclass
class Counters:
    """Counters of one run."""

    posts: int = 0
    gets: int = 0
    throttled: int = 0
    unseen: int = 0  #: cancels that left although nobody had looked
    cached: int = 0  #: answers to reads that came from a cache and were too old to send by
    targets: int = 0  #: that were sendable at the start
    states: Counter[State] = field(
        default_factory=Counter
    )  #: targets that left their state in this run, by the new one
    in_flight: int = 0
    note: str = ""  #: what everyone waits for, if so

    @property
    def refused(self) -> int:
        """Targets that ended as data errors."""
        return sum(self.states[state] for state in REFUSED)

    def moved(self, was: State, becomes: State) -> None:
        """A target changed its state."""
        if self.states[was] > 0:
            self.states[was] -= 1
        self.states[becomes] += 1
