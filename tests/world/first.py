"""Plays histories until one breaks an invariant: `python -m world.first MOST [FIRST]`. 1 when one did, and which."""

from __future__ import annotations

import sys

from world.many import play_part, scenario_of


def main(most: int, first: int = 1) -> int:
    """Play so many seeds, from `first` on."""
    for count, seed in enumerate(range(first, first + most), 1):
        for violations in play_part(range(seed, seed + 1)).failed.values():
            print(f"{count} histories: {violations[0].splitlines()[-1]} (seed {seed}, {scenario_of(seed).theme})")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
