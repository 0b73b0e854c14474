"""Writes docs/cli.md from what the commands themselves say in `--help`: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from bulk_cancel.cli.app import app
from bulk_cancel.cli.command import SHOWS_ALL, Argument, Command, Option, commands_below
from bulk_cancel.cli.options import JOB_OPTIONS, JobOption

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
_JOB = {option.name for option in JOB_OPTIONS}
_HEAD = """# The commands

Written by `make docs` from the commands' own `--help`; the test suite compares the two. Each command has `-h`, which
fits on a screen, and `--help`, which has everything. What the settings of a job mean in full, and their job file keys:
[configuration](configuration.md). Commands and options complete themselves in bash after
`eval "$(_BULK_CANCEL_COMPLETE=bash_source bulk-cancel)"`; `zsh_source` and `fish_source` are for the others.
"""
_JOB_HEAD = """
## Options of a job

Each belongs to the commands that heed it; any other command refuses it. Each is a key of the job file and a variable
`BULK_CANCEL_<NAME>`, too: there, a command passes over what it does not heed. DUR is `30s`, `10m`, `2h`.
"""


def page() -> str:
    """Return the page as it should be."""
    context = click.Context(app, info_name="bulk-cancel")
    sections = [_section("", app, context), *(_section(name, one, context) for name, one in commands_below(app))]
    return "".join([_HEAD, *sections, _JOB_HEAD, *_job_tables(context)])


def _section(name: str, command: click.Command, context: click.Context) -> str:
    assert isinstance(command, Command)
    level = "#" * min(3, len(name.split()) + 2)
    path = f"bulk-cancel {name}".strip()
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    example = f"bulk-cancel {command.example}\n" if command.example else ""
    text = f"\n{level} `{path}`\n\n{(command.help or '').strip()}\n\n```text\n{usage}\n{example}```\n"
    own = [
        one.get_help_record(context)
        for one in command.params
        if isinstance(one, Argument) or (isinstance(one, Option) and one.heading == "Options")
    ]
    return text + ("\n" + _rows(own) if own else "") + _job_options(name, command) + _tables(command)


def _job_options(name: str, command: Command) -> str:
    if name == SHOWS_ALL:
        return "\nAnd the [options of a job](#options-of-a-job) that `run` or `plan` has.\n"
    flags = [f"`{max(option.opts, key=len)}`" for option in command.options if option.heading != "Options"]
    return f"\nAnd of the [options of a job](#options-of-a-job): {', '.join(flags)}.\n" if flags else ""


def _tables(command: Command) -> str:
    return "".join(f"\n{_text(title)}:\n\n{_rows(records, '')}" for title, records in command.tables())


def _job_tables(context: click.Context) -> Iterator[str]:
    """Yield a table for each heading."""
    for heading in dict.fromkeys(option.heading for option in JOB_OPTIONS):
        options = [option for option in JOB_OPTIONS if option.heading == heading]
        yield f"\n### {heading}\n\n| option | | belongs to |\n|---|---|---|\n"
        yield from (_job_row(option, context) for option in options)


def _job_row(option: JobOption, context: click.Context) -> str:
    left, right = option.get_help_record(context)
    order = [name for name, _ in commands_below(app)]
    owners = ", ".join(f"`{name}`" for name in sorted(option.commands, key=order.index))
    return f"| `{_cell(left)}` | {_text(right)} | {owners} |\n"


def _rows(records: Iterable[tuple[str, str]], head: str = "option ") -> str:
    lines = [f"| `{_cell(left)}` | {_text(right)} |" for left, right in records]
    return "\n".join([f"| {head}| |", "|---|---|", *lines]) + "\n"


def _text(text: str) -> str:
    return _cell(text).replace("<", "&lt;")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: {PAGE}")
