"""Runs the suite with httpx2 in the place of httpx when asked to; this must come before anything imports httpx."""

import os
import sys

if os.environ.get("BULK_CANCEL_TEST_HTTPX2") == "1":
    import httpx2

    sys.modules["httpx"] = httpx2

import pytest

pytest.register_assert_rewrite("support")
pytest_plugins = ["support.own_home", "support.marks", "support.examples", "support.postgres", "support.processes"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
