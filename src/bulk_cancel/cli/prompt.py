"""The question before the first cancel."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.prompt import Confirm, Prompt

from bulk_cancel.core.plan import Plan
from bulk_cancel.errors import UsageError

#: Above this the number has to be typed: a reflex is no decision.
MOST_BY_YES = 50


def refuse_without_terminal(*, yes: bool, source: str) -> None:
    """Raise UsageError (exit 2) when nobody can be asked and --yes was not given."""
    if yes:
        return
    if source == "-":
        raise UsageError("The input comes from stdin, so nobody can be asked.", advice="Add --yes if this is meant.")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("There is no terminal to ask on.", advice="Add --yes if the cancels are meant, or --dry-run.")


def ask(console: Console, plan: Plan) -> bool:
    """Ask whether to go on; more than a few cancels want their number typed."""
    if not plan.may_send:
        return True
    if plan.may_send <= MOST_BY_YES:
        return Confirm.ask(f"Cancel these {plan.may_send} now?", console=console, default=False)
    typed = Prompt.ask(f"Type [bold]{plan.may_send}[/] to cancel that many now, anything else to stop", console=console)
    return typed.strip() == str(plan.may_send)


def leave_to_workers() -> bool:
    """Ask whether the workers go on with a run that is no longer watched; without a terminal they do."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    console = Console(stderr=True)
    return Confirm.ask("The workers can go on without you. Leave them to it? (n stops the run)", console=console)
