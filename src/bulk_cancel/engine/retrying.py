"""When to try again: how often, and after which random wait, by the run's own randomness."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

if TYPE_CHECKING:
    from tenacity import RetryCallState


def random_wait(jitter: random.Random, first_s: float, most_s: float) -> Callable[[RetryCallState], float]:
    """Return tenacity's `wait_random_exponential` by the given randomness: between 0 and `first_s`, then twice that."""
    return lambda state: jitter.uniform(0.0, min(most_s, first_s * 2.0 ** (state.attempt_number - 1)))


@dataclass(frozen=True, slots=True)
class Attempts:
    """At most `count` attempts, with a wait of 0 to `first_s` seconds after the first, up to `most_s` later on."""

    count: int
    first_s: float
    most_s: float

    def retrying(
        self,
        again: Callable[[Any], bool],
        jitter: random.Random,
        sleep: Callable[[float], Awaitable[None]],
    ) -> AsyncRetrying:
        """Return a caller that repeats a function while `again` is true of its result, and returns the last one."""
        return AsyncRetrying(
            stop=stop_after_attempt(self.count),
            wait=random_wait(jitter, self.first_s, self.most_s),
            retry=retry_if_result(again),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
            sleep=sleep,
        )
