"""Plays a history twice, with a wall clock that is right and with one that is set: no decision may differ.

Rules that people make by the wall clock (send windows, what is past, a plan's expiry) are left out of both; so is the
loss of a ledger's file, since a person waits by the wall clock before forgetting it. Pages of the list show everything:
the first that a reconcile asks for begins now, by the wall clock, and what no page shows is read by itself later on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bulk_cancel.core.states import Event
from world.history import play
from world.ran import Played
from world.scenario import Scenario

#: What goes by the wall clock, or makes ages unsure on purpose.
_BY_THE_CLOCK = frozenset({"reboot", "plan", "workers", "clock", "mischief"})
_DECISIONS = ("left", "applied", "event")


def difference(scenario: Scenario) -> str:
    """Return how the two histories differ first; empty when they do not."""
    calm = replace(scenario, without=scenario.without | _BY_THE_CLOCK, whole=False, by_the_clock=False)
    right, wrong = play(calm), play(replace(calm, without=calm.without - {"clock"}, certain=frozenset({"clock"})))
    for one, other in zip(_decisions(right), _decisions(wrong), strict=False):
        if one != other:
            return f"with a right clock: {one}, with one that was set: {other}"
    return "" if len(_decisions(right)) == len(_decisions(wrong)) else "one of them goes on"


def _decisions(played: Played) -> list[tuple[Any, ...]]:
    """Return what was sent, what took effect and what was recorded, with its time, and how each run ended."""
    ends = [(at, what, *more[:2]) for at, what, *more in played.story if what == "ended"]
    return [_without_doubt(entry) for entry in played.story if entry[1] in _DECISIONS] + ends


def _without_doubt(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    """Whether what is found cancelled was cancelled before us is told by the API's time and our own."""
    return tuple(Event.SEEN_CANCELLED.value if one == Event.SEEN_CANCELLED_BEFORE else one for one in entry)
