"""Chance that is keyed: every decision of a world has a stream of its own, named by what it decides.

So a feature that is switched off, or a row that is dropped, leaves all other decisions as they were, which is what
makes a failing history shrink.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chance:
    """The source of all chance of one history."""

    seed: int

    def of(self, *key: object) -> random.Random:
        """Return the stream of one decision, named by plain values."""
        name = repr((self.seed, *key)).encode()
        return random.Random(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big"))


def pick(rng: random.Random, weights: dict[str, float]) -> str:
    """Choose a name by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]
