"""Options tell the truth: each belongs to the commands that heed it, and is refused by the others."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from importlib import import_module
from inspect import signature

import click
import pytest

from bulk_cancel.cli.app import app
from bulk_cancel.cli.command import SHOWS_ALL, Argument, Command, Option, commands_below
from bulk_cancel.cli.options import JOB_OPTIONS, JobOption
from bulk_cancel.errors import UsageError
from bulk_cancel.settings.job import Job

COMMANDS = dict(commands_below(app))


def parse(line: str) -> None:
    """Parse a command line as `main` does, and run nothing."""
    with app.make_context("bulk-cancel", line.split()) as context:
        name, command, words = app.resolve_command(context, line.split())
        while isinstance(command, click.Group):
            context = command.make_context(name, words, parent=context)
            name, command, words = command.resolve_command(context, words)
        assert command is not None
        command.make_context(name, words, parent=context)


@pytest.mark.parametrize("option", JOB_OPTIONS, ids=lambda option: option.name)
def test_each_option_is_a_setting_and_belongs_to_commands_that_there_are(option: JobOption) -> None:
    assert option.name in {field.alias or name for name, field in Job.model_fields.items()}
    assert option.commands
    assert option.commands <= COMMANDS.keys()


def test_a_spelling_means_the_same_in_every_command() -> None:
    meanings = defaultdict[str, set[tuple[object, ...]]](set)
    for name, command in COMMANDS.items():
        for option in command.params:
            for flag in option.flags if isinstance(option, Option) else ():
                meanings[flag].add((option.metavar, option.is_flag, *(() if flag == "-o" else (option.name,))))
                if flag == "-o":
                    assert str(option.help).startswith("Write "), name
    assert {flag: found for flag, found in meanings.items() if len(found) > 1} == {}
    assert meanings["-o"] == {("FILE", False)}


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_that_there_is_not_is_refused(port: int) -> None:
    with pytest.raises(click.BadParameter, match="not in the range 0<=x<=65535"):
        parse(f"sandbox --port {port}")
    parse("sandbox --port 65535")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run closure.csv -o x.plan --yes", "-o belongs to find, plan and ledger export"),
        ("run closure.csv --plan-file x.plan", "--plan-file belongs to plan"),
        ("plan closure.csv --wait", "--wait belongs to run and reconcile"),
        ("plan closure.csv -y", "-y belongs to run"),
        ("reconcile --max-cancel 3", "--max-cancel belongs to run"),
        ("status --limit 3 --excel", "--excel belongs to run and report"),
        ("ledger backup x.db --out y", "--out belongs to plan, run, closed and report"),
        ("worker --look never", "--look belongs to plan and run"),
    ],
)
def test_a_flag_that_a_command_does_not_heed_is_refused_with_the_command_that_has_it(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line)
    assert said in str(refused.value)
    here = line.partition(" ")[0]  # nobody who wanted a plan is told to type a run
    assert refused.value.advice.startswith(f"Nothing was done. Type {here}")
    assert refused.value.advice.endswith(" without it.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rum closure.csv", "There is no command rum. Did you mean run?"),
        ("ledger verfy", "There is no command verfy. Did you mean verify?"),
        ("run closure.csv --max-cancl 3", "There is no option --max-cancl. Did you mean --max-cancel?"),
        ("status --jsn", "There is no option --jsn. Did you mean --json?"),
        ("run closure.csv --xyzzy", "There is no option --xyzzy."),
        ("xyzzy", "There is no command xyzzy."),
        ("plan closure.csv --max-cancle 3", "Did you mean --max-cancel? --max-cancel belongs to run: plan does not"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest_one_alone(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line)
    assert said in str(refused.value)
    assert str(refused.value).count("?") <= 1


@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if not isinstance(one, click.Group)])
def test_a_command_is_carried_out_by_a_function_that_takes_its_parameters(name: str) -> None:
    carry_out = COMMANDS[name].callback
    assert isinstance(carry_out, partial)
    module, function = carry_out.args
    given = {param.name: None for param in COMMANDS[name].params if param.expose_value}
    signature(getattr(import_module(f"bulk_cancel.cli.{module}"), function)).bind(**given)


def test_config_show_takes_what_run_or_plan_takes() -> None:
    shown = {option.name for option in COMMANDS[SHOWS_ALL].params if isinstance(option, Option)}
    assert shown == {option.name for option in JOB_OPTIONS if option.commands & {"run", "plan"}}


def test_a_reconcile_shows_less_than_half_of_what_a_run_shows() -> None:
    run, reconcile = COMMANDS["run"], COMMANDS["reconcile"]
    assert isinstance(run, Command)
    assert isinstance(reconcile, Command)
    assert len(reconcile.options) < len(run.options) / 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_can_be_typed(name: str) -> None:
    import shlex

    command = COMMANDS[name]
    if isinstance(command, click.Group):
        return
    assert isinstance(command, Command)
    words = shlex.split(command.example)
    assert " ".join(words[: len(name.split())]) == name
    assert command.make_context(name, words[len(name.split()) :])
    assert all(isinstance(param, Argument | Option) or param.hidden for param in command.params)  # type: ignore[attr-defined]
