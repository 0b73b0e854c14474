"""The question before the first cancel."""

from __future__ import annotations

import sys

from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.core.plan import Plan
from bulk_cancel.errors import UsageError
from bulk_cancel.ops.keyboard import forget_typed, heed_ctrl_c

#: Above this number it has to be typed, so that nobody confirms by reflex.
MOST_BY_YES = 50


def ask(terminal: Terminal, plan: Plan, source: str) -> bool:
    """Ask whether to send; above `MOST_BY_YES` cancels their number has to be typed.

    Raises UsageError (exit 2) when there is no terminal.
    """
    if not plan.may_send:
        return True
    _refuse_without_terminal(source)
    if plan.may_send <= MOST_BY_YES:
        what = "this one" if plan.may_send == 1 else f"these {plan.may_send}"
        return _answer(terminal, f"Cancel {what} now{_at(plan)}?{_parts(plan)} [y/N]").lower() in ("y", "yes")
    number = styled(str(plan.may_send), "bold")
    question = f"Type {number} to cancel that many now{_at(plan)}{_parts(plan)}, anything else to stop:"
    return _answer(terminal, question) == str(plan.may_send)


def _at(plan: Plan) -> str:
    """Return the API for the question, so that nobody mistakes the real one for a sandbox."""
    return f" at {plan.place.api}" if plan.place else ""


def _parts(plan: Plan) -> str:
    """Return the parts of the number: rows that are looked up first are sent only if they prove active."""
    looked_up = plan.may_send - plan.cancels
    return f" ({plan.cancels} to cancel, {looked_up} to look up first)" if looked_up else ""


def _refuse_without_terminal(source: str) -> None:
    if source == "-":
        raise UsageError(
            "The input comes from stdin, so nobody can be asked.",
            advice="Nothing was sent. Add --yes if this is meant.",
        )
    if not _is_terminal():
        raise UsageError(
            "There is no terminal to ask on.",
            advice="Nothing was sent. Add --yes if the cancels are meant, or --dry-run.",
        )


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _answer(terminal: Terminal, question: str) -> str:
    """Ask on stderr and return the line that is typed after that; "" after Ctrl-C or Ctrl-D."""
    forget_typed()
    heed_ctrl_c()
    try:
        terminal.print_question(question)
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    if not line.endswith("\n"):
        terminal.print("")
    return line.strip()


def leave_to_workers() -> bool:
    """Ask whether the workers continue a run that is no longer watched; without a terminal they do."""
    if not _is_terminal():
        return True
    question = "The workers can go on without you. Leave them to it? (n stops the run) [Y/n]"
    return _answer(Terminal(err=True), question).lower() not in ("n", "no")
