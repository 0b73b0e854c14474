"""A command is recorded so that it can be typed again, and so that no secret is in it."""

from __future__ import annotations

import shlex

import pytest

from bulk_cancel.settings.recorded_command import recorded_command

TOKEN = "0123456789-abcdef"


def test_a_command_is_recorded_as_a_shell_takes_it() -> None:
    arguments = ["run", "Termine März.csv", "--reason", "Wir sind zu. It's closed; call info@praxis.example", "-y"]
    command = recorded_command(arguments, {})
    assert shlex.split(command) == ["bulk-cancel", *arguments]


def test_a_run_of_another_program_records_no_command() -> None:
    assert recorded_command([], {"BULK_CANCEL_REASON": "closed"}) == ""


def test_settings_of_the_environment_go_before_it() -> None:
    environ = {
        "BULK_CANCEL_REASON": "We are closed.",
        "MEETERGO_API_URL": "http://127.0.0.1:8717/v4",
        "BULK_CANCEL_NOTIFY": "json://alert-me@hooks.example",
        "BULK_CANCEL_OF_NOBODY": "x",
        "HOME": "/home/ada",
    }
    command = recorded_command(["run", "c.csv"], environ)
    assert command == (
        "BULK_CANCEL_REASON='We are closed.' MEETERGO_API_URL=http://127.0.0.1:8717/v4 bulk-cancel run c.csv"
    )


def test_invisible_characters_and_line_breaks_are_escaped_in_a_recorded_command() -> None:
    assert recorded_command(["run", "c.csv", "--reason", "Closed.\nSorry's\u200b"], {}) == (
        "bulk-cancel run c.csv --reason $'Closed.\\u000aSorry\\'s\\u200b'"
    )


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["run", "c.csv", "--reason", f"x {TOKEN} y"], {"MEETERGO_TOKEN": TOKEN}),
        (["run", f"{TOKEN}.csv"], {"PRAXIS_API_KEY": f" {TOKEN}\n"}),
        (["run", "c.csv", "--ledger", f"postgresql://ada:{TOKEN}@db/cancel"], {}),
        (["run", "c.csv", "--ledger", f"postgresql://ada@db/cancel?sslmode=require&password={TOKEN}&x=1"], {}),
        (["run", "c.csv", f"--api-token={TOKEN}"], {}),
        (["run", "c.csv", "--password", TOKEN], {}),
        (["run", "c.csv"], {"BULK_CANCEL_LEDGER": f"postgresql://ada:{TOKEN}@db/cancel"}),
        (["run", f"rgo-{TOKEN}"], {}),
        (["run", f"ak_live:1:{TOKEN}"], {}),
    ],
)
def test_no_secret_is_recorded(arguments: list[str], environ: dict[str, str]) -> None:
    command = recorded_command(arguments, environ)
    assert TOKEN not in command
    assert "***" in command
