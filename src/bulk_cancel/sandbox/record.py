"""The record of the sandbox: every arrival, every answer, and the truth for checkers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, when it reached the sandbox (monotonic seconds, comparable across processes of this machine)."""

    at: float
    method: str
    route: str
    target: str | None
    credential: str = ""  #: the fingerprint of its credential, accepted or not, since it may be a real one


@dataclass(slots=True)
class Record:
    """The arrivals and answers since the start or the last reset."""

    arrivals: list[Arrival] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    trapped: int = 0

    def answer(self, method: str, route: str, label: str) -> None:
        """Count one answer: a status, or the name of the fault that took its place."""
        self.answers[f"{method} {route} {label}"] += 1


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened. Targets are written as the appointment id, or appointment id/attendee id."""

    applied: Mapping[str, int]  #: effective cancels of each target that had any; more than one is a double cancel
    taken_along: Mapping[str, int]  #: of these, effects of the series cancel of another occurrence
    mails: Mapping[str, int]  #: rounds of mails to the people of each appointment that had any
    requests: Mapping[str, int]  #: answers by "METHOD route status"
    throttled: int  #: requests that the limit refused
    trapped: int  #: requests that followed a redirect; must be 0
    late: int  #: cancels that are still to take effect

    @property
    def doubled(self) -> tuple[str, ...]:
        """The targets on which more than one cancel took effect."""
        return tuple(target for target, times in self.applied.items() if times > 1)

    @property
    def told(self) -> str:
        """The cancellations in a sentence."""
        count, along = len(self.applied), len(self.taken_along)
        return (
            f"{count} cancellation{'s' * (count != 1)}: {count - along} that were sent, "
            f"and {along} that a series took along; {len(self.doubled)} of them twice."
        )
