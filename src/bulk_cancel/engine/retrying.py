"""How long to wait before another attempt: at random, up to twice as long each time, by the run's own randomness."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenacity import RetryCallState


def random_wait(jitter: random.Random, first_s: float, most_s: float) -> Callable[[RetryCallState], float]:
    """Return tenacity's `wait_random_exponential` by the given randomness: between 0 and `first_s`, then twice that."""
    return lambda state: jitter.uniform(0.0, min(most_s, first_s * 2.0 ** (state.attempt_number - 1)))
