"""Help: a screen of it with -h, all of it with --help, lines that break between words, nothing heavy imported."""

from __future__ import annotations

import sys

import click
import pytest

from bulk_cancel.cli.app import app
from bulk_cancel.cli.command import Command, commands_below
from bulk_cancel.cli.main import main
from bulk_cancel.cli.options import JOB_OPTIONS
from bulk_cancel.sandbox.faults import Shape, When

COMMANDS = {"": app, **dict(commands_below(app))}
HEADINGS = ("What to cancel", "Safety", "Pace", "When", "Results", "Ledger and workers", "Output")


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the program with these words in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["bulk-cancel", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_is_one_screen(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *name.split(), "-h") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Usage: bulk-cancel {name}".strip())
    assert name == "" or isinstance(COMMANDS[name], click.Group) or lines[1].startswith("Example: bulk-cancel ")
    assert sum(line.startswith("  -") for line in lines) <= 16
    assert len(lines) <= (25 if name else 27)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("name", "usage"), [("doctor", "[SOURCE]"), ("closed", "[SOURCE]"), ("run", "SOURCE")])
def test_the_usage_says_what_may_be_left_out(
    name: str, usage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, name, "-h")
    assert capsys.readouterr().out.startswith(f"Usage: bulk-cancel {name} [OPTIONS] {usage}\n")


def test_the_whole_help_of_the_sandbox_lists_the_faults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "sandbox", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "[get:]SHAPE[-WHEN][=CHANCE | @UUID][:DURATION]" in text
    for word in (*Shape, *When):
        assert f" {word} {word.meaning}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_whole_help_has_every_option_and_every_command(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *name.split(), "--help") == 0
    text = capsys.readouterr().out
    command = COMMANDS[name]
    assert isinstance(command, Command)
    for option in command.options:
        assert f"{max(option.opts, key=len).removeprefix('--')}" in text
    for word in getattr(command, "commands", ()):
        assert f"\n  {word} " in text
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_the_options_of_a_run_stand_under_headings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuple(dict.fromkeys(option.heading for option in JOB_OPTIONS)) == HEADINGS
    typed(monkeypatch, "run", "--help")
    titles = [line[:-1] for line in capsys.readouterr().out.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["Arguments", *HEADINGS]


@pytest.mark.parametrize("name", ["", "run", "ledger", "ledger verify"])
def test_the_command_help_says_what_the_option_says(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "help", *name.split()) == 0
    asked = capsys.readouterr().out
    typed(monkeypatch, *name.split(), "--help")
    assert asked == capsys.readouterr().out


@pytest.mark.parametrize("words", [("version",), ("-V",), ("--version",)])
def test_the_version_can_be_asked_for_in_three_ways(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *words) == 0
    assert capsys.readouterr().out.startswith("bulk-cancel ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rum",), "bulk-cancel: There is no command rum. Did you mean run?\n  See: bulk-cancel -h\n"),
        (("run",), "bulk-cancel: Missing argument 'SOURCE'.\n  See: bulk-cancel run -h\n"),
        (("status", "--limit", "0"), "  See: bulk-cancel status -h\n"),
        (("help", "rum"), "Did you mean run?"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_what_to_type(
    words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *words) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("words", [(), ("ledger",)])
def test_no_command_at_all_shows_the_help_and_ends_with_2(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *words) == 2
    assert capsys.readouterr().out.startswith("Usage: bulk-cancel")
