"""How many examples a property is tried with: few in every run, many in `make test-long`."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

_USUAL, _LONG = 40, 1000
_TIMES = 10
#: A slow machine is no failure; a test that hangs has its limit of time.
settings.register_profile("usual", max_examples=_USUAL, deadline=None)
settings.register_profile("long", max_examples=_LONG, deadline=None)
settings.load_profile("usual")


def examples(count: int, **others: Any) -> settings:
    """Return settings for `count` examples, and ten times as many in the long sweeps."""
    return settings(max_examples=count * (_TIMES if settings.default.max_examples == _LONG else 1), **others)
