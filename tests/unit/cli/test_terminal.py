"""Lines for people: whole for a file, broken between words on a terminal."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest

from bulk_cancel.cli.ledger import forget_command
from bulk_cancel.cli.sandbox import sandbox_command
from bulk_cancel.cli.terminal import Terminal, styled, wrapped


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 40 columns that knows styles."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@contextmanager
def shown() -> Iterator[list[str]]:
    """Yield the lines that a terminal has after the block."""
    screen, lines = Screen(), list[str]()
    with redirect_stdout(screen):
        yield lines
    lines += screen.getvalue().splitlines()


def test_a_path_in_a_table_goes_on_in_its_column() -> None:
    path = "/var/lib/somebody/state/ledgers/of-the-api/ledger.db"
    with shown() as lines:
        Terminal().print_table([("ok", "ledger", f"There is none at {path} yet.")])
    assert all(line.startswith(" " * 12) for line in lines[1:])
    assert max(map(len, lines)) <= 40
    assert path in "".join(line[12:] for line in lines)


LONG = "Run the same command again after 12:10, when unanswered cancels can no longer be applied."


def test_a_line_of_a_terminal_breaks_between_words() -> None:
    with shown() as lines:
        Terminal().print(f"  {LONG}")
    assert max(map(len, lines)) <= 40
    assert all(line.startswith("  ") for line in lines)
    assert " ".join(" ".join(lines).split()) == LONG


def test_styles_do_not_count_as_columns() -> None:
    with shown() as lines:
        Terminal().print(styled("a" * 39, "bold", "red"))
    assert lines == [f"\x1b[1;31m{'a' * 39}\x1b[0m"]


def test_without_a_terminal_lines_are_whole_and_without_styles(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().print(styled(LONG * 3, "bold"))
    assert capsys.readouterr().out == f"{LONG * 3}\n"


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_styles_gets_none(variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*variable)
    with shown() as lines:
        Terminal().print(styled("Done.", "green"))
    assert lines == ["Done."]


def test_the_last_column_of_a_table_goes_on_below_itself() -> None:
    with shown() as lines:
        Terminal().print_table([("row", "why"), ("2", LONG), ("10", "short")], right=True)
    assert lines[0] == "row  why"
    assert lines[1].startswith("  2  Run the same command")
    assert lines[2].startswith("     ")
    assert lines[-1] == " 10  short"
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize(("columns", "widest"), [(0, 80), (30, 30)])
def test_a_terminal_that_does_not_know_its_width_has_80_columns(
    columns: int, widest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(Screen, "fileno", lambda _: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 0)))
    assert redirected_width() == widest


def redirected_width() -> int | None:
    with redirect_stdout(Screen()):
        return Terminal().width


def test_what_the_sandbox_counted_breaks_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulk_cancel.sandbox.server.serve", lambda _, tell: tell(LONG))
    with redirect_stderr(Screen()) as screen:
        sandbox_command("", any_caller=False, rate="100/min", quirks="", map=(), hidden_rows=None, encoding=None)
    assert max(map(len, screen.getvalue().splitlines())) <= 40


def test_what_a_command_on_a_ledger_says_breaks_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulk_cancel.cli.ledger.forget", lambda *_: 3)
    with shown() as lines:
        forget_command("l.db")
    assert len(lines) > 1
    assert max(map(len, lines)) <= 40


def test_a_word_that_is_longer_than_a_line_stays_whole() -> None:
    assert [*wrapped("see /a/very/long/path now", 10)] == ["see", "/a/very/long/path", "now"]
