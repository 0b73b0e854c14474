"""One line of a check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from bulk_cancel.errors import BulkCancelError, Exit


class Level(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNTOLD = "could not tell"


@dataclass(frozen=True, slots=True)
class Check:
    """What was checked, what was found, what to do, and the exit code with which a run would end."""

    name: str
    level: Level
    found: str  #: a sentence
    advice: str = ""
    exit_code: Exit = Exit.OK


def good(name: str, found: str) -> Check:
    """Return a check without findings."""
    return Check(name, Level.OK, found)


def warning(name: str, found: str, advice: str = "") -> Check:
    """Return a check that a run would pass, but that a person should know."""
    return Check(name, Level.WARN, found, advice)


def failed(name: str, error: BulkCancelError) -> Check:
    """Return a check of an error with which a run would end."""
    return Check(name, Level.FAIL, str(error), error.advice, error.exit_code)


def tried(name: str, call: Callable[[], object], found: str) -> Check:
    """Return a check of a call with whose error a run would end; `found`: what is so when it raises none."""
    try:
        call()
    except BulkCancelError as error:
        return failed(name, error)
    return good(name, found)


def untold(name: str, found: str, advice: str = "") -> Check:
    """Return a check that the API's answers do not decide."""
    return Check(name, Level.UNTOLD, found, advice, Exit.UNKNOWN)


def exit_code_of(checks: Iterable[Check]) -> Exit:
    """Return the exit code with which a run would end: that of the first failure."""
    return next((check.exit_code for check in checks if check.level is Level.FAIL), Exit.OK)
