"""Fixtures of the crash tests: a laboratory for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bulk_cancel.sandbox.options import SandboxOptions
from support.lab import HOSTILE, Lab, laboratory
from support.processes import Zygote

MakeLab = Callable[..., Lab]


@pytest.fixture
def make_lab(tmp_path: Path, zygote: Zygote) -> Iterator[MakeLab]:
    """Makes laboratories with other options or settings."""
    with ExitStack() as stack:

        def make(options: SandboxOptions = HOSTILE, *, name: str = "lab", count: int = 6, **settings: str) -> Lab:
            return stack.enter_context(laboratory(tmp_path / name, zygote, options, count=count, **settings))

        yield make


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """Six appointments, a hostile server, no faults."""
    return make_lab()
