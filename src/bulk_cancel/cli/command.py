"""What all commands share: short and whole help, options under headings, errors that say what to type."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from bulk_cancel.cli.stdout import put_out
from bulk_cancel.errors import Exit, UsageError

#: The command that takes the options of `run` and `plan` to show them: it owns none of them.
SHOWS_ALL = "config show"
_FILES = ("FILE", "PATH", "DIR", "SOURCE", "PLAN")
#: At most this number of owners of an option is named.
_MOST_OWNERS = 4
#: Two columns under a title.
Table = tuple[str, Sequence[tuple[str, str]]]


class Option(click.Option):
    """An option under a heading of the whole help; `brief` ones are in the short help, too."""

    def __init__(self, *args: Any, heading: str = "Options", brief: bool = True, **kwargs: Any) -> None:
        if kwargs.get("multiple"):
            kwargs["callback"] = lambda _, __, values: list(values) or None  # None when it is not given
        if kwargs.get("metavar") in _FILES:
            kwargs["type"] = click.Path()  # text, which shells complete as files
        super().__init__(*args, **kwargs)
        self.heading, self.brief = heading, brief

    @property
    def flags(self) -> tuple[str, ...]:
        """All its spellings, including those that switch it off."""
        return (*self.opts, *self.secondary_opts)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the two columns of the help."""
        names = ", ".join(sorted(self.opts, key=len))
        if self.secondary_opts:
            names = names.replace("--", "--[no-]")
        default = f" (default: {self.default})" if self.show_default else ""
        return f"{names} {'' if self.is_flag else self.metavar}".strip(), f"{self.help}{default}"


class Argument(click.Argument):
    """An argument that has a help text as options have."""

    def __init__(self, *args: Any, help: str, **kwargs: Any) -> None:
        super().__init__(*args, type=click.Path() if kwargs["metavar"].strip("[]") in _FILES else str, **kwargs)
        self.help = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the two columns of the help."""
        return str(self.metavar), self.help or ""


class Command(click.Command):
    """A command of the command line."""

    def __init__(
        self,
        *args: Any,
        heading: str = "",
        example: str = "",
        tables: Callable[[], Iterable[Table]] = tuple,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **{**kwargs, "add_help_option": False})
        self.heading, self.example, self.tables = heading, example, tables
        self.params += _help_options()

    @property
    def options(self) -> list[Option]:
        """Its options, without those for help."""
        return [param for param in self.params if isinstance(param, Option) and not param.hidden]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does. Raises UsageError (exit 2) that says what to type instead."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise _wrong_option(ctx, error.option_name) from None

    def help_text(self, ctx: click.Context, *, whole: bool) -> str:
        """Return the help: whole, with every option under its heading, or short, for one screen."""
        formatter = ctx.make_formatter()
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)))
        formatter.write(_example(self.example, formatter.width))
        formatter.write_paragraph()
        formatter.write_text(self.help or "")
        self.write_parameters(ctx, formatter, whole=whole)
        return formatter.getvalue()

    def write_parameters(self, ctx: click.Context, formatter: click.HelpFormatter, *, whole: bool) -> None:
        """Write the arguments and options."""
        arguments = [one for one in self.params if isinstance(one, Argument)]
        if not whole:
            brief = [option for option in self.options if option.brief]
            _write_records(formatter, ctx, "", [*arguments, *brief])
            if len(brief) < len(self.options):
                formatter.write(f"\nAll {len(self.options)} options: {ctx.command_path} --help\n")
            return
        by_heading: dict[str, list[Option]] = {}
        for option in self.options:
            by_heading.setdefault(option.heading, []).append(option)
        _write_records(formatter, ctx, "Arguments", arguments)
        for heading, options in by_heading.items():
            _write_records(formatter, ctx, heading, options)
        for title, records in self.tables():
            _write_list(formatter, title, records)


class Group(Command, click.Group):
    """A command that has commands."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as any command does; without a command, show the help and end as a wrong command line does."""
        if not args and not ctx.resilient_parsing:
            put_out(self.help_text(ctx, whole=False))
            ctx.exit(int(Exit.USAGE))
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of that name. Raises UsageError, which suggests the nearest one."""
        if not ctx.resilient_parsing and args[0] not in self.commands:
            near = _nearest(args[0], self.commands)
            raise UsageError(
                f"There is no command {args[0]}.{f' Did you mean {near}?' if near else ''}",
                advice=f"See: {ctx.command_path} -h",
            )
        return super().resolve_command(ctx, args)

    def write_parameters(self, ctx: click.Context, formatter: click.HelpFormatter, *, whole: bool) -> None:
        """Write its commands, a line each; under headings in the whole help."""
        headings: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            heading = command.heading if whole and isinstance(command, Command) else ""
            headings.setdefault(heading, []).append((name, f"{(command.help or '').split('. ')[0].rstrip('.')}."))
        for heading, records in headings.items():
            _write_list(formatter, heading or ("Commands" if whole else ""), records)
        if whole:
            _write_records(formatter, ctx, "Options", self.options)
        if whole and ctx.parent is None:
            _write_list(formatter, "Exit codes", [(str(int(code)), f"{code.meaning}.") for code in Exit])
        formatter.write(f"\nHelp for one of them: {ctx.command_path} COMMAND -h\n")


def commands_below(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, as one types it; groups before their commands."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands_below(command, f"{before}{name} ")


def _example(example: str, width: int) -> str:
    """Return a command as it is typed, on several lines if it is long."""
    lines = textwrap.wrap(
        f"Example: bulk-cancel {example}", width - 2, subsequent_indent="    ", break_on_hyphens=False
    )
    return " \\\n".join(lines) + "\n" if example else ""


def _write_records(
    formatter: click.HelpFormatter, ctx: click.Context, title: str, params: Sequence[Option | Argument]
) -> None:
    _write_list(formatter, title, [param.get_help_record(ctx) for param in params])


def _write_list(formatter: click.HelpFormatter, title: str, records: Sequence[tuple[str, str]]) -> None:
    """Write two columns, under a title if there is one."""
    if records:
        formatter.write(f"\n{title}:\n" if title else "\n")
        with formatter.indentation():
            formatter.write_dl(records, col_max=28)


def _help_options() -> list[click.Parameter]:
    """Return `-h` for the short help and `--help` for everything, which the help does not list."""

    def show(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
        if wanted and isinstance(ctx.command, Command):
            put_out(ctx.command.help_text(ctx, whole=param.name == "help"))
            ctx.exit()

    return [
        click.Option([flag], is_flag=True, hidden=True, expose_value=False, is_eager=True, callback=show)
        for flag in ("-h", "--help")
    ]


def _wrong_option(ctx: click.Context, flag: str) -> UsageError:
    """Return the error for an unknown flag: another command has it, or it is mistyped, or there is none like it."""
    owners = _owners(ctx)
    own = [*_flags_of(ctx.command)]
    near = flag if flag in owners else _nearest(flag, [*own, *owners], 0.75)
    if near is None:
        return UsageError(f"There is no option {flag}.", advice=f"See: {ctx.command_path} --help")
    if near in own:
        return UsageError(f"There is no option {flag}. Did you mean {near}?", advice=f"See: {ctx.command_path} --help")
    asked = "" if near == flag else f"There is no option {flag}. Did you mean {near}? "
    here = ctx.command_path.partition(" ")[2] or ctx.command_path
    return UsageError(
        f"{asked}{near} belongs to {_listed(owners[near])}: {here} does not take it.",
        advice=f"Nothing was done. Type {here} without it.",
    )


def _owners(ctx: click.Context) -> dict[str, list[str]]:
    """Return each flag of all commands, with the commands that have it."""
    root, owners = ctx.find_root().command, dict[str, list[str]]()
    commands = [*commands_below(root)] if isinstance(root, click.Group) else []
    for name, command in commands:
        for flag in _flags_of(command) if name != SHOWS_ALL else ():
            owners.setdefault(flag, []).append(name)
    return owners


def _flags_of(command: click.Command) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, Option):
            yield from option.flags


def _nearest(word: str, words: Iterable[str], likeness: float = 0.6) -> str | None:
    from difflib import get_close_matches  # slow to import, and needed only for mistakes

    return next(iter(get_close_matches(word, [*words], 1, likeness)), None)


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:_MOST_OWNERS], *(["others"] if len(names) > _MOST_OWNERS else [])]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
