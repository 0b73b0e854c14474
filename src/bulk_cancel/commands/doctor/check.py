"""One line of a checkup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bulk_cancel.errors import BulkCancelError, Exit


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNTOLD = "could not tell"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, what to do, and the exit code that a run would end with."""

    name: str
    level: Level
    found: str  #: a sentence
    advice: str = ""
    exit_code: Exit = Exit.OK


def good(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, Level.OK, found)


def warning(name: str, found: str, advice: str = "") -> Check:
    """A run would work, but a person should know."""
    return Check(name, Level.WARN, found, advice)


def failed(name: str, error: BulkCancelError) -> Check:
    """A run would end with this error."""
    return Check(name, Level.FAIL, str(error), error.advice, error.exit_code)


def untold(name: str, found: str, advice: str = "") -> Check:
    """The API does not tell, or not in a way that proves anything."""
    return Check(name, Level.UNTOLD, found, advice, Exit.UNKNOWN)


def exit_code_of(checks: Iterable[Check]) -> Exit:
    """Return what a run would end with: the first failure in the order in which a run meets them."""
    return next((check.exit_code for check in checks if check.level is Level.FAIL), Exit.OK)
