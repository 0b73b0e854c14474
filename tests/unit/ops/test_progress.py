"""What a person sees while a run is at work."""

from __future__ import annotations

import re
import sys
import threading
import time
from io import StringIO

import anyio
import pytest
from structlog.testing import CapturingLogger

from bulk_cancel.ops import progress
from bulk_cancel.ops.progress import Display, Lines, Screen, Standing, make_display

LONG = Standing(1234, 5000, 99, "1,000 cancelled, 200 already_cancelled, 20 rejected, 10 not_found, 4 skipped", 3600.0)
WAITS = Standing(3, 4, 9, "3 cancelled", 0.0, "waiting 9 min until cancels without an answer can no longer be applied")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def drawn(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Follow a moment; return the lines that were drawn at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    async def follow() -> None:
        with anyio.move_on_after(0.01):
            await make_display(CapturingLogger(), quiet=False).follow(lambda: standing)

    anyio.run(follow)
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()))


@pytest.mark.parametrize("standing", [LONG, WAITS])
def test_nothing_is_wider_than_the_terminal(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(map(len, drawn(standing, monkeypatch))) <= 80


def test_the_wait_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(WAITS, monkeypatch)
    assert "3 cancelled" in lines
    assert WAITS.note in lines


def test_without_targets_no_count_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0/0" not in "".join(drawn(Standing(0, 0, 0, "", 0.0), monkeypatch))


def test_quiet_leaves_a_terminal_its_progress_and_nothing_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(make_display(CapturingLogger(), quiet=True)) is Display
    assert isinstance(make_display(CapturingLogger(), quiet=False), Lines)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(make_display(CapturingLogger(), quiet=True), Screen)


@pytest.mark.parametrize(("at_once", "seen"), [(False, True), (True, False)])
def test_only_a_step_that_takes_long_is_shown(at_once: bool, seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_UNSEEN_S", 60.0 if at_once else 0.0)
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    display = make_display(CapturingLogger(), quiet=False)
    for _ in range(2):  # one display serves all of a command
        with display.busy("Reading [a].csv"):
            for _ in range(500):
                if at_once or "Reading [a].csv" in screen.getvalue():
                    break
                time.sleep(0.01)
    assert ("Reading [a].csv" in screen.getvalue()) is seen
    assert not [
        thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon
    ]


def test_nobody_is_shown_what_goes_on_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (True, False):
        with make_display(CapturingLogger(), quiet=quiet).busy("Reading a.csv"):
            pass
    assert capsys.readouterr() == ("", "")
