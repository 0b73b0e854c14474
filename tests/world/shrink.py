"""Makes a failing history small: switches features off and drops rows as long as the same invariant stays broken."""

from __future__ import annotations

from dataclasses import replace

from world.history import play
from world.ran import Played
from world.scenario import FLAGS

#: Histories that are played for it, at most.
MOST_TRIES = 300


def shrink(failed: Played) -> Played:
    """Return the smallest history found that still breaks the first invariant that this one breaks."""
    best, tries, broken = failed, 0, _kind(failed)
    changed = True
    while changed and tries < MOST_TRIES:
        changed = False
        for switches, rows in _steps(best):
            tries += 1
            scenario = replace(
                best.scenario, without=best.scenario.without | switches, dropped=best.scenario.dropped | rows
            )
            if len(scenario.rows) == 0 or tries > MOST_TRIES:
                continue
            found = play(scenario)
            if found.violations and _kind(found) == broken:
                best, changed = found, True
    return best


def _kind(played: Played) -> str:
    return played.violations[0].partition(":")[0]


def _steps(played: Played) -> list[tuple[frozenset[str], frozenset[int]]]:
    """Return what may be tried: all rows but one, halves of them, single rows, features, flags."""
    nothing, places = frozenset[str](), played.scenario.places
    halves = [frozenset(places[: len(places) // 2]), frozenset(places[len(places) // 2 :])] if len(places) > 3 else []
    all_but_one = [frozenset(places) - {place} for place in places] if len(places) > 2 else []
    rows = [(nothing, part) for part in [*all_but_one, *halves, *(frozenset({place}) for place in places)]]
    switches = [*sorted(played.scenario.features), *(f"flag {name}" for name in FLAGS)]
    left = [(frozenset({name}), frozenset[int]()) for name in switches if name not in played.scenario.without]
    return rows + left
