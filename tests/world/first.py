"""Plays histories until one breaks an invariant: `python -m world.first 1..100 907`. 1 when one did, and which."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from world.many import play_part, scenario_of


def main(words: Sequence[str]) -> int:
    """Play these seeds."""
    for word in words:
        first, _, last = word.partition("..")
        for seed in range(int(first), int(last or first) + 1):
            for violations in play_part(range(seed, seed + 1)).failed.values():
                print(f"{violations[0].splitlines()[-1]} (seed {seed}, {scenario_of(seed).theme})")
                return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
