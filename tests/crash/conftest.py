"""Fixtures of the crash tests: one zygote for all, a laboratory for each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bulk_cancel.sandbox.options import SandboxOptions
from crash.lab import HOSTILE, Lab, laboratory
from crash.processes import Zygote, serving_processes

MakeLab = Callable[..., Lab]


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with tempfile.TemporaryDirectory() as folder, serving_processes(Path(folder)) as zygote:
        yield zygote


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
