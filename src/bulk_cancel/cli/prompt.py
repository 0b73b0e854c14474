"""The question before the first cancel."""

from __future__ import annotations

import sys

from bulk_cancel.cli.terminal import Terminal, styled
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


def ask(terminal: Terminal, plan: Plan) -> bool:
    """Ask whether to go on; more than a few cancels want their number typed."""
    if not plan.may_send:
        return True
    if plan.may_send <= MOST_BY_YES:
        what = "this one" if plan.may_send == 1 else f"these {plan.may_send}"
        return _answer(terminal, f"Cancel {what} now{_at(plan)}? [y/N]").lower() in ("y", "yes")
    number = styled(str(plan.may_send), "bold")
    return _answer(terminal, f"Type {number} to cancel that many now{_at(plan)}, anything else to stop:") == str(
        plan.may_send
    )


def _at(plan: Plan) -> str:
    """Name the API, so that nobody takes the real one for a rehearsal's."""
    return f" at {plan.place.api}" if plan.place else ""


def _answer(terminal: Terminal, question: str) -> str:
    """Ask on stderr and return the line that is typed; nothing at the end of the input."""
    terminal.print_question(question)
    return sys.stdin.readline().strip()


def leave_to_workers() -> bool:
    """Ask whether the workers go on with a run that is no longer watched; without a terminal they do."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    question = "The workers can go on without you. Leave them to it? (n stops the run) [Y/n]"
    return _answer(Terminal(err=True), question).lower() not in ("n", "no")
