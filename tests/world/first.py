"""Plays histories until one breaks an invariant, and says which: `python -m world.first MOST`. 1 when one did."""

from __future__ import annotations

import sys

from world.many import play_all


def main(most: int) -> int:
    """Play seeds from 1 on."""
    for _, total in play_all(range(1, most + 1), 2, stop_after=1):
        if total.failed:
            seed = min(total.failed)
            print(f"seed {seed}: {total.failed[seed][0].splitlines()[-1]}")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
