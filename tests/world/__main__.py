"""Plays many histories: `python -m world --seeds 1..1000`; one of them as a story: `python -m world --tell 42`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from world.history import play
from world.many import Total, play_all, scenario_of
from world.ran import Played
from world.shrink import shrink
from world.story import tell

_MOST_TOLD = 3


def main(words: list[str]) -> int:
    """Play what the command line says; 1 when an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m world", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default="1..1000", metavar="FIRST..LAST", help="SEEDS of make world")
    parser.add_argument("--tell", type=int, metavar="SEED", help="play one history and tell it: SEED of make world")
    parser.add_argument("--digests", action="store_true", help="print a digest of each history, and nothing else")
    parser.add_argument("--whole-story", action="store_true", help="tell it as it was, not made small")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on where the last one with this file stopped")
    given = parser.parse_args(words)
    if given.tell is not None:
        return _told(play(scenario_of(given.tell)), small=not given.whole_story)
    if given.digests:
        print("\n".join(play(scenario_of(seed)).digest for seed in given.seeds))
        return 0
    return _played(given.seeds, given)


def _seeds(words: str) -> range:
    first, _, last = words.partition("..")
    try:
        return range(int(first), int(last or first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} is not two numbers like 1..1000, nor one.") from None


def _told(played: Played, *, small: bool) -> int:
    if played.violations and small:
        played = shrink(played)
    print("\n".join(tell(played)))
    print("\n".join(played.violations) or "It breaks no invariant.")
    return 1 if played.violations else 0


def _played(seeds: range, given: argparse.Namespace) -> int:
    known: dict[str, Any] = json.loads(given.resume.read_text()) if given.resume and given.resume.exists() else {}
    failed = {int(seed): violations for seed, violations in known.get("failed", {}).items()}
    total, began = Total(histories=known.get("histories", 0), failed=failed), time.monotonic()
    seeds, before = range(max(seeds.start, known.get("next", seeds.start)), seeds.stop), total.histories
    for next_seed, part in play_all(seeds, given.processes):
        total.add(part)
        if given.resume:
            so_far = {"next": next_seed, "histories": total.histories, "failed": total.failed}
            given.resume.write_text(json.dumps(so_far))
        for seed, violations in part.failed.items():  # at once: it may be stopped before its end
            print(f"SEED {seed}: {violations[0]}", file=sys.stderr)
        elapsed_s = time.monotonic() - began
        print(f"{total.histories} histories, {_per_hour(total.histories - before, elapsed_s)}", file=sys.stderr)
    elapsed_s = time.monotonic() - began
    print(
        f"{total.histories:,} histories, {total.runs:,} runs, {total.requests:,} requests in {elapsed_s:.0f} s: "
        f"{_per_hour(total.histories - before, elapsed_s)}, "
        f"{total.cpu_s / max(1, total.histories - before) * 1000:.0f} ms of CPU each."
    )
    if went_wrong := ", ".join(f"{count} {name}" for name, count in total.counted.most_common()):
        print(textwrap.fill(f"What went wrong on purpose: {went_wrong}", 80))
    if not seeds:
        print(f"{given.resume} says that all of these have been played.")
    for number, (seed, violations) in enumerate(sorted(total.failed.items())):
        print(f"\nSEED {seed}: {violations[0]}\nSee it again: make world SEED={seed}")
        if number < _MOST_TOLD and (played := play(scenario_of(seed))).violations:
            print("\n".join(tell(shrink(played))))
    print(f"{len(total.failed)} of {total.histories:,} histories broke an invariant.")
    return 1 if total.failed else 0


def _per_hour(histories: int, seconds: float) -> str:
    return f"{histories / max(seconds, 1e-9) * 3600:,.0f} an hour"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
