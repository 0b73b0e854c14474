"""Marks each test that starts a process of ours, refuses one without the mark, and gives long tests their time."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

_PROCESSES = Path(__file__).parents[1] / "processes"
_LONG_S = 900
_running: list[pytest.Item] = []


def pytest_configure() -> None:
    sys.addaudithook(_refuse_processes)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark by the folder, or by the fixture through which processes are started."""
    if _PROCESSES in item.path.parents or "zygote" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.process)
    if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
        item.add_marker(pytest.mark.timeout(_LONG_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.clear()


def _refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    """Fail the test that starts a Python, or forks, and would slow `make test-fast` down unnoticed."""
    starts = event == "os.fork" or (event == "subprocess.Popen" and str(arguments[0]) == sys.executable)
    if starts and _running and not _running[0].get_closest_marker("process"):
        raise AssertionError("This test starts a process: mark it with pytest.mark.process, or do without.")
