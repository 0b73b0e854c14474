"""The program's root command, and how commands are added to it."""

from collections.abc import Collection
from functools import partial
from importlib import import_module
from typing import Any

import click

from bulk_cancel.cli.command import Command, Group, Option
from bulk_cancel.cli.options import options_of
from bulk_cancel.cli.stdout import put_out


def version_command() -> None:
    """Print the versions of the program and of what matters to it."""
    from bulk_cancel.commands.doctor.machine import versions

    own, *others = (f"{what} {which}" for what, which in versions().items())
    put_out(f"{own} ({', '.join(others)})\n")


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        version_command()
        ctx.exit()


app = Group(
    "bulk-cancel",
    help="Cancel many meetergo appointments: never twice, never lost, within the limit.",
    params=[
        Option(
            ["-V", "--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_show_version,
            help="Show versions and exit.",
        )
    ],
    example="run closure.csv --reason 'Our office is closed.'",
)


_GROUPS: dict[str, Group] = {"": app}


def group(name: str, heading: str, help_text: str) -> None:
    """Make a command that only has commands."""
    _GROUPS[name] = Group(name, heading=heading, help=help_text)
    app.add_command(_GROUPS[name])


def command(name: str, help_text: str, *own: click.Parameter, required: Collection[str] = (), **rest: Any) -> None:
    """Make a command, with its own parameters and those of the table that it uses; `rest` has its heading and example.

    The function `WORD_command`, after the last word of its name, carries it out. It is in the `module` of this folder
    that is given, else in the one that is named like the first word.
    """
    among, _, word = name.rpartition(" ")
    carry_out = partial(_carry_out, rest.pop("module", among or word), f"{word}_command")
    params = [*own, *options_of(name, required)]
    _GROUPS[among].add_command(Command(word, callback=carry_out, params=params, help=help_text, **rest))


def _carry_out(module: str, function: str, /, **given: Any) -> None:
    """Call a function of a module that is imported only now, so that help is fast."""
    getattr(import_module(f"bulk_cancel.cli.{module}"), function)(**given)
