"""Many histories: played in parts, by several processes at a time."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from world.history import play
from world.scenario import Scenario
from world.twin import difference

#: One history in so many goes through the whole of `run`, with its files; the others from the plan down.
WHOLE_EVERY = 20
#: One in so many is played twice more: its decisions must not hang on the wall clock.
TWIN_EVERY = 100
_PART = 20  # histories that a process plays before it tells


@dataclass
class Total:
    """What many histories came to."""

    histories: int = 0
    runs: int = 0
    requests: int = 0
    cpu_s: float = 0.0
    counted: Counter[str] = field(default_factory=Counter)
    failed: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: Total) -> None:
        """Take in a part."""
        self.histories += other.histories
        self.runs += other.runs
        self.requests += other.requests
        self.cpu_s += other.cpu_s
        self.counted += other.counted
        self.failed |= other.failed


def scenario_of(seed: int) -> Scenario:
    """Return the history that a seed stands for."""
    return Scenario(seed, whole=seed % WHOLE_EVERY == 0)


def play_part(seeds: range) -> Total:
    """Play some histories."""
    total, began = Total(), time.process_time()
    for seed in seeds:
        played = play(scenario_of(seed))
        total.histories += 1
        total.runs += played.runs
        total.requests += played.requests
        total.counted += played.counted
        if seed % TWIN_EVERY == 1 and (told := difference(played.scenario)):
            played.violations.append(f"invariant 11: {told}.")
        if played.violations:
            total.failed[seed] = played.violations
    total.cpu_s = time.process_time() - began
    return total


def play_all(seeds: range, processes: int, stop_after: int = 10) -> Iterator[tuple[int, Total]]:
    """Play histories in parts; yield how far it is, and each part. Stops early when many fail."""
    parts = [range(first, min(first + _PART, seeds.stop)) for first in range(seeds.start, seeds.stop, _PART)]
    failed = 0
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["world.history"])
    # What is imported stays: no garbage collection need look through it.
    with context.Pool(processes, gc.freeze, maxtasksperchild=40) as pool:
        for part, total in zip(parts, pool.imap(play_part, parts), strict=True):
            yield part.stop, total
            failed += len(total.failed)
            if failed >= stop_after:
                return
