"""Marks each test that starts a process, and refuses one without the mark: `make test-fast` runs the others."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

_PROCESSES = f"{Path(__file__).parents[1]}/processes/"
_STARTING = {"zygote", "postgres_server", "browser"}
_running: list[pytest.Item] = []


def pytest_configure() -> None:
    sys.addaudithook(_refuse_processes)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark by the folder, or by the fixture through which processes are started."""
    if str(item.path).startswith(_PROCESSES) or not _STARTING.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.process)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.clear()


def _refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    """Fail a test that starts a Python, or forks, unmarked."""
    starts = event == "os.fork" or (event == "subprocess.Popen" and str(arguments[0]) == sys.executable)
    if starts and _running and not _running[0].get_closest_marker("process"):
        raise AssertionError("This test starts a process: mark it with pytest.mark.process, or do without.")
