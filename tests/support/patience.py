"""Waits that are patience and nothing else, made short: a test of the real clock need not be patient.

What a duration decides is tested in virtual time (tests/unit/engine), with the program's own durations.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partialmethod
from typing import Any

import pytest

from bulk_cancel.engine import breaker, retrying
from bulk_cancel.engine.context import Limits

#: Between the two reads that must agree, for which a replica may lag, before an API in trouble is asked again.
SHORT_S = 0.2
#: Of the waits between attempts.
_SHARE = 0.05


def shorten(put: Callable[[object, str, Any], None] = setattr) -> None:
    """Make the waits of this process short."""
    put(Limits, "__init__", partialmethod(Limits.__init__, confirm_s=SHORT_S, lag_s=SHORT_S))
    put(breaker, "_FIRST_PAUSE_S", SHORT_S)
    usual = retrying.random_wait

    def wait(jitter: random.Random, first_s: float, most_s: float) -> Any:
        return usual(jitter, first_s * _SHARE, most_s * _SHARE)

    put(retrying, "random_wait", wait)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits short for one test."""
    shorten(monkeypatch.setattr)
