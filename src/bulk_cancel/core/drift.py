"""What changed of an appointment since it was planned, told from a look just before its cancel. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bulk_cancel.core.actions import moment_of
from bulk_cancel.core.model import Appointment
from bulk_cancel.core.text import clean


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the plan has seen of an appointment that it cancels. None: the plan did not look."""

    start: str | None = None  #: ISO 8601
    host_ids: tuple[str, ...] | None = None


def drift(expected: Expectation, seen: Appointment | None) -> str:
    """Return why the appointment is not the one that was planned, a sentence; empty when it is."""
    if seen is None:
        return "gone: the API knows no such appointment"
    if seen.is_cancelled or seen.cancelled_at is not None:
        return "already cancelled since it was planned"
    if expected.start is not None and not _same_moment(expected.start, seen.start):
        return f"rescheduled from {_shown(expected.start)} to {_shown(seen.start)}"
    if expected.host_ids is not None and set(expected.host_ids) != set(seen.host_ids):
        return "other hosts than planned"
    return ""


def _same_moment(planned: str, start: str | None) -> bool:
    """Two spellings of one moment are the same; a start that is not shown any more is another one."""
    moment = moment_of(planned)
    return planned == start if moment is None else moment == moment_of(start)


def _shown(start: str | None) -> str:
    return clean(start, 64) if start else "a time that the API does not tell"
