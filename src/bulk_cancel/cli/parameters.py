"""Parameters of single commands, and those that find and closed share."""

from typing import Any

import click

from bulk_cancel.cli.command import Argument, Option


def source_parameter(
    help_text: str = "A job file (.toml), an input, an approved plan, or - for CSV on stdin.", **rest: Any
) -> Argument:
    """Return the argument that names an input or a job file."""
    metavar = "SOURCE" if rest.get("required", True) else "[SOURCE]"
    return Argument(["source"], metavar=metavar, help=help_text, **rest)


def target_parameter() -> Argument:
    """Return the argument that names a target."""
    return Argument(
        ["target"],
        metavar="TARGET",
        help="An appointment's id; of several targets one: ID/whole, ID/series, ID/ATTENDEE.",
    )


def text_option(flag: str, metavar: str, help_text: str, **rest: Any) -> Option:
    """Return an option with a text for its value."""
    return Option([flag, *rest.pop("spelt", ())], metavar=metavar, help=help_text, **rest)


def number_option(flag: str, help_text: str, default: int) -> Option:
    """Return an option with a whole number for its value."""
    kind = click.IntRange(0, 65_535) if flag == "--port" else click.IntRange(min=min(default, 1))
    return Option([flag], metavar="N", type=kind, default=default, show_default=True, help=help_text)


def flag_option(flag: str, help_text: str) -> Option:
    """Return an option without a value."""
    return Option([flag], is_flag=True, help=help_text)


SELECTS: tuple[click.Parameter, ...] = (
    text_option("--location", "TEXT", "A part of the location, ignoring case."),
    text_option("--host", "UUID", "The host of the appointments; may be repeated.", multiple=True),
    flag_option("--all-hosts", "The appointments of all hosts (admins only)."),
    text_option("--meeting-type", "UUID", "Of this meeting type."),
    text_option("--channel", "TEXT", "Held over this channel."),
)
_SELECT_NAMES = ("from", "to", "timezone", "location", "host", "all_hosts", "meeting_type", "channel")


def select_apart(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values that say which appointments are searched, and the others."""
    return {name: given.pop(name) for name in _SELECT_NAMES}, given


def day_options(*, required: bool) -> tuple[click.Parameter, ...]:
    """Return the options that name the days."""
    return (
        text_option("--from", "DATE", "The first day.", spelt=("from",), required=required),
        text_option("--to", "DATE", "The last day, included.", required=required),
    )
