"""`doctor`: parse, call, render to stdout."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from bulk_cancel.cli.stdout import put_document, this_machine
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.commands.doctor.check import Check, Level, exit_code_of
from bulk_cancel.commands.doctor.examine import examine
from bulk_cancel.core.text import clean

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red", Level.UNTOLD: "yellow"}


def doctor_command(source: str, ledger: str | None, json: bool | None) -> None:
    """Check everything; end with the exit code of the first failure."""
    flags = {"ledger": ledger or os.environ.get("BULK_CANCEL_LEDGER")}
    checks = list(examine(source, flags, this_machine()))
    code = int(exit_code_of(checks))
    if json:
        put_document({"checks": documents_of(checks), "exit_code": code})
    else:
        show_checks(Terminal(), checks)
    raise SystemExit(code)


def documents_of(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Return checks as they are in a JSON document."""
    return [asdict(check) | {"found": clean(check.found, 1000)} for check in checks]


def show_checks(terminal: Terminal, checks: Iterable[Check]) -> None:
    """Print a line for each check: its level, its name, what was found, what to do."""
    terminal.print_table([(styled(check.level, _COLOURS[check.level]), check.name, _told(check)) for check in checks])


def _told(check: Check) -> str:
    return "\n".join(clean(text, 1000) for text in (check.found, check.advice) if text)
