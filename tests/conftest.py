"""Runs the suite with httpx2 in the place of httpx when asked to; this must come before anything imports httpx."""

import gc
import os
import sys
from collections.abc import Generator

if os.environ.get("BULK_CANCEL_TEST_HTTPX2") == "1":
    import httpx2

    sys.modules["httpx"] = httpx2

import pytest

pytest.register_assert_rewrite("support")
pytest_plugins = ["support.own_home", "support.marks", "support.examples", "support.postgres", "support.processes"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and never look for it again in what was collected: that stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return two workers per core: tests spend about half of their time waiting for a process, a socket or a pause."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
