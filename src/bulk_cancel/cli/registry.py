"""The program's root command, and how a function becomes one of its commands."""

from collections.abc import Callable, Collection

import click

from bulk_cancel.cli.command import Command, Group, Option
from bulk_cancel.cli.options import options_of


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from bulk_cancel.cli.about import print_versions

        print_versions()
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


def group(name: str, heading: str, help_text: str) -> Group:
    """Make a command that only has commands."""
    made = _GROUPS[name] = Group(name, heading=heading, help=help_text)
    app.add_command(made)
    return made


def command(
    name: str, heading: str, *own: click.Parameter, example: str = "", required: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command, with its own parameters and those of the table that it uses."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        among, _, word = name.rpartition(" ")
        params = [*own, *options_of(name, required)]
        made = Command(word, callback=function, params=params, help=function.__doc__, heading=heading, example=example)
        _GROUPS[among].add_command(made)
        return function

    return register
