"""Writes docs/cli.md from what the commands themselves say in `--help`: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from bulk_cancel.cli.main import app
from bulk_cancel.cli.options import JOB_OPTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
_SHARED = {option.name for option in JOB_OPTIONS}
_HEAD = """# The commands

Written by `make docs` from the commands' own `--help`; the test suite compares the two. `-h` and `--help` are with
every command. What the settings of a job mean in full, and their job file keys: [configuration](configuration.md).
"""
_JOB_HEAD = """
## Options of a job

Shared by {commands}. Each is a key of the job file and a variable `BULK_CANCEL_<NAME>`, too. DUR is `30s`, `10m`, `2h`.
"""


def page() -> str:
    """Return the page as it should be."""
    commands = list(_commands(typer.main.get_command(app), None, "bulk-cancel"))
    with_job = [f"`{context.info_name}`" for _, context in commands if _has_job(_options(context))]
    (job,) = {_table(_job_options(context)) for _, context in commands if _has_job(_options(context))}
    parts = [_HEAD, *(_section(name, context) for name, context in commands)]
    return "".join([*parts, _JOB_HEAD.format(commands=", ".join(with_job)), job])


def _commands(command: Any, parent: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every command with its context, groups before what is in them. A context runs nothing."""
    context = command.context_class(command, info_name=name.split()[-1], parent=parent)
    yield name, context
    for sub in getattr(command, "commands", {}).values():
        yield from _commands(sub, context, f"{name} {sub.name}")


def _section(name: str, context: Any) -> str:
    level = "#" * min(3, len(name.split()) + 1)
    usage = " ".join([name, *context.command.collect_usage_pieces(context)])
    text = f"\n{level} `{name}`\n\n{context.command.help.strip()}\n\n```text\n{usage}\n```\n"
    own = [record for param, record in _options(context) if not (_has_job(_options(context)) and param in _SHARED)]
    if own:
        text += "\n" + _rows(own)
    return text + ("\nAnd the [options of a job](#options-of-a-job).\n" if _has_job(_options(context)) else "")


def _options(context: Any) -> list[tuple[str, tuple[str, str]]]:
    """Return name, and what `--help` says left and right, of each parameter but `--help` itself."""
    records = [(param.name, param.get_help_record(context)) for param in context.command.get_params(context)]
    return [(name, record) for name, record in records if record and name != "help"]


def _has_job(options: Iterable[tuple[str, tuple[str, str]]]) -> bool:
    return {name for name, _ in options} >= _SHARED


def _job_options(context: Any) -> tuple[tuple[str, str], ...]:
    return tuple(record for name, record in _options(context) if name in _SHARED)


def _table(records: tuple[tuple[str, str], ...]) -> str:
    return "\n" + _rows(records)


def _rows(records: Iterable[tuple[str, str]]) -> str:
    lines = [f"| `{_cell(left.strip())}` | {_cell(right.strip()).replace('<', '&lt;')} |" for left, right in records]
    return "\n".join(["| option | |", "|---|---|", *lines]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: {PAGE}")
