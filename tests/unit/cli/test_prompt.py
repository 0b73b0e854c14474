"""The question before the first cancel, on a terminal of the test's own."""

from __future__ import annotations

import os
import pty
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO

import pytest

from bulk_cancel.cli.prompt import ask
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.core.actions import Action
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import Plan
from bulk_cancel.errors import UsageError


class Screen(StringIO):
    """A standard error that says it is a terminal; the person answers as soon as a question is there."""

    def __init__(self, answer: Callable[[], object]) -> None:
        super().__init__()
        self._answer = answer

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text.rstrip().endswith((":", "]")):
            self._answer()
        return super().write(text)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written here is typed."""
    keys, line = pty.openpty()
    with os.fdopen(line) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keys
    os.close(keys)


def plan_of(cancels: int, looked_up: int = 0) -> Plan:
    actions = Counter({Action.CANCEL: cancels, Action.READ_FIRST: looked_up})
    return Plan(Pace(1, 1), rows=cancels + looked_up, actions=actions)


def asked(plan: Plan, typed: bytes, keyboard: int, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, str]:
    screen = Screen(lambda: os.write(keyboard, typed))
    monkeypatch.setattr(sys, "stderr", screen)
    return ask(Terminal(err=True), plan, "a.csv"), screen.getvalue()


@pytest.mark.parametrize(("typed", "goes_on"), [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"\x04", False)])
def test_only_yes_continues(typed: bytes, goes_on: bool, keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(plan_of(3), typed, keyboard, monkeypatch)[0] is goes_on


def test_ctrl_c_while_the_question_is_written_stops_and_leaves_a_line_of_its_own(
    keyboard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    screen = Screen(interrupt)
    monkeypatch.setattr(sys, "stderr", screen)
    assert ask(Terminal(err=True), plan_of(3), "a.csv") is False
    assert screen.getvalue() == "\n"


def test_keys_typed_before_the_question_are_ignored(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    os.write(keyboard, b"y\n")
    assert asked(plan_of(3), b"n\n", keyboard, monkeypatch)[0] is False


def test_ctrl_d_leaves_the_line(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(plan_of(3), b"\x04", keyboard, monkeypatch)[1].endswith("\n")


def test_the_number_to_type_is_that_of_the_plan(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan above says both parts: the question adds them up, and says so."""
    monkeypatch.setenv("NO_COLOR", "1")
    goes_on, screen = asked(plan_of(52, 3), b"55\n", keyboard, monkeypatch)
    assert goes_on
    assert "to cancel that many now (52 to cancel, 3 to look up first), anything else" in screen.replace("\n", " ")
    assert max(map(len, screen.splitlines())) <= 80, "it is broken between words, as the plan above"
    assert "now? (2 to cancel, 1 to look up first) [y/N]" in asked(plan_of(2, 1), b"y\n", keyboard, monkeypatch)[1]
    assert "look up" not in asked(plan_of(2), b"y\n", keyboard, monkeypatch)[1]


def test_nothing_to_send_asks_nobody() -> None:
    assert ask(Terminal(err=True), plan_of(0), "a.csv")


@pytest.mark.parametrize("source", ["-", "a.csv"])
def test_without_a_terminal_nobody_is_asked(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    with pytest.raises(UsageError) as refused:
        ask(Terminal(err=True), plan_of(1), source)
    assert refused.value.advice.startswith("Nothing was sent. Add --yes")
