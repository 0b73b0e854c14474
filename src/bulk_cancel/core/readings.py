"""What a read proves about a target.

An attendee who is absent proves a cancellation only where an earlier reading showed the attendee in the appointment:
otherwise the row may name somebody who was never in it, and a typing error must not count as a success. Of a series a
reading shows one occurrence: that it is cancelled says nothing about the others, which no answer names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from bulk_cancel.core.model import Answer, Appointment, Target

#: The API says that there is no such appointment.
MISSING = frozenset({404, 410})
#: The API does not show this appointment to this credential or user. (A 401 concerns the credential as a whole.)
FORBIDDEN = 403
_NOT_SHOWN = frozenset({400, FORBIDDEN, 422})
#: How NestJS words that it has no such route: the base address is wrong, and nothing is said about an appointment.
_NO_ROUTE = re.compile(r"Cannot [A-Z]+ /")


class ReadResult(Enum):
    """What a reading shows of a target."""

    CANCELLED = "cancelled"
    ACTIVE = "active"
    MISSING = "missing"  #: no such appointment
    ABSENT = "absent"  #: the attendee is not in it, and no reading ever showed that attendee in it
    ONE_OCCURRENCE = "one_occurrence"  #: of a series: the occurrence that the row names is cancelled
    NOTHING = "nothing"  #: no proof of anything


class Source(Enum):
    """Where a reading comes from, with the number of seconds for which a decision to send may rest on it."""

    PAGE = 60.0  #: a page of the list
    SINGLE = 5.0  #: a GET of the one appointment


@dataclass(frozen=True, slots=True)
class Reading:
    """What the API said about one appointment, and when. The document of another appointment raises ValueError."""

    appointment_id: str
    appointment: Appointment | None  #: None: the API knows none, or does not show it and `refusal` says why
    taken_at: float  #: when the request left, in seconds on the clock that also runs while the machine is suspended
    source: Source = Source.SINGLE
    refusal: str = ""  #: why the API does not show it, a clause
    is_forbidden: bool = False  #: it is refused to this credential
    is_cached: bool = False  #: a cache answered in place of the API

    def __post_init__(self) -> None:
        if self.appointment is not None and self.appointment.appointment_id != self.appointment_id:
            raise ValueError("a reading of one appointment cannot hold the document of another")

    def is_fresh(self, now: float) -> bool:
        """Return whether a decision to send may rest on this reading; `now` on the clock of `taken_at`."""
        return 0 <= now - self.taken_at <= self.source.value


def is_missing_route(answer: Answer) -> bool:
    """Return whether the server says that it has no such route: the base address is wrong."""
    return answer.is_api_error and answer.status in MISSING and _NO_ROUTE.match(answer.message) is not None


def is_refusal(answer: Answer) -> bool:
    """Return whether the API itself refuses a read, for good; a gateway's page under any status may soon be gone."""
    return answer.is_api_error and answer.status in (400, 401, 403, 404)


def reading_of(appointment_id: str, answer: Answer, taken_at: float) -> Reading | None:
    """Return the reading in the answer to a GET of one appointment; None when the answer says nothing about it.

    `taken_at` is when the request left. The answer of a cache is older by the age that the cache states.
    """
    at = taken_at - answer.age_s
    if answer.status is None or is_missing_route(answer):
        return None
    if answer.is_api_error and answer.status in MISSING:
        return Reading(appointment_id, None, at, is_cached=answer.age_s > 0)
    if answer.is_api_error and answer.status in _NOT_SHOWN:
        told = f": {answer.message}" if answer.message else ""
        why, is_forbidden = f"the API does not show it ({answer.status}{told})", answer.status == FORBIDDEN
        return Reading(appointment_id, None, at, refusal=why, is_forbidden=is_forbidden, is_cached=answer.age_s > 0)
    appointment = answer.about(appointment_id).appointment
    if appointment is None or not 200 <= answer.status < 300:
        return None
    return Reading(appointment_id, appointment, at, is_cached=answer.age_s > 0)


def see(target: Target, reading: Reading | None, *, attended: bool = False) -> ReadResult:
    """Return what a reading shows of `target`. `attended`: an earlier one showed its attendee in the appointment."""
    if reading is None or reading.refusal or reading.appointment_id != target.appointment_id:
        return ReadResult.NOTHING
    appointment = reading.appointment
    if appointment is None:
        return ReadResult.MISSING
    if target.attendee_id is not None:
        return _see_attendee(target.attendee_id, appointment, attended=attended)
    if appointment.is_cancelled is None:
        return ReadResult.NOTHING
    if not appointment.is_cancelled:
        return ReadResult.ACTIVE
    return ReadResult.ONE_OCCURRENCE if target.entire_series else ReadResult.CANCELLED


def _see_attendee(attendee_id: str, appointment: Appointment, *, attended: bool) -> ReadResult:
    """Return what a document shows of an attendee. Only a list without the attendee shows that they are absent."""
    if attendee_id in appointment.removed_ids:
        return ReadResult.CANCELLED
    listed = appointment.attendee_ids
    if appointment.is_cancelled:
        is_stranger = bool(listed) and listed is not None and attendee_id not in listed and not attended
        return ReadResult.ABSENT if is_stranger else ReadResult.CANCELLED
    if appointment.is_cancelled is None or listed is None:
        return ReadResult.NOTHING
    if attendee_id in listed:
        return ReadResult.ACTIVE
    return ReadResult.CANCELLED if attended else ReadResult.ABSENT
