"""How many examples a property is tried with: few in every run, many in `make test-long`."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

_USUAL = 100
#: A slow machine is no failure; a test that hangs has its limit of time.
settings.register_profile("usual", max_examples=_USUAL, deadline=None)
settings.register_profile("long", max_examples=10 * _USUAL, deadline=None)
settings.load_profile("usual")


def examples(count: int, **others: Any) -> settings:
    """Return settings for so many examples, and as many times more as the profile wants."""
    return settings(max_examples=count * settings.default.max_examples // _USUAL, **others)
