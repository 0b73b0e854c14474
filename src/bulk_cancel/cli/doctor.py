"""`doctor`: parse, call, render. On stdout, since it is what was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bulk_cancel.cli.stdout import put_document, this_machine
from bulk_cancel.commands.doctor.check import Check, Level, exit_code_of
from bulk_cancel.commands.doctor.examine import examine
from bulk_cancel.core.text import clean

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def doctor_command(source: str, ledger: str | None, *, as_json: bool) -> None:
    """Check everything; end with the exit code of the first failure."""
    flags = {"ledger": ledger or os.environ.get("BULK_CANCEL_LEDGER")}
    checks = list(examine(source, flags, this_machine()))
    code = int(exit_code_of(checks))
    if as_json:
        told = [asdict(check) | {"found": clean(check.found, 1000)} for check in checks]
        put_document({"checks": told, "exit_code": code})
    else:
        _show(Console(highlight=False), checks)
    raise SystemExit(code)


def _show(console: Console, checks: Iterable[Check]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        advice = f"\n{escape(check.advice)}" if check.advice else ""
        colour = _COLOURS[check.level]
        table.add_row(f"[{colour}]{check.level}[/]", check.name, f"{escape(clean(check.found, 1000))}{advice}")
    console.print(table)
