"""What an answer proves. Everything that is not a proof is unknown.

The API documents neither the success status nor what a second cancel does, so a 2xx counts only when its body shows
this very target cancelled, and a refusal only in the API's own words: a gateway answers 404 as well, for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bulk_cancel.core.model import Answer, Appointment, Target
from bulk_cancel.core.readings import MISSING, Reading, ReadResult, is_missing_route, see
from bulk_cancel.core.states import Event

#: In the API's own error shape the only status that proves that nothing was processed: the official client repeats a
#: mutation on nothing else. A gateway's page under this status proves nothing.
TOO_MANY_REQUESTS = 429
#: They look like refusals, but the cancel may still be carried out: an application's own time limit answers 408 while
#: its handler works on, 409 may mean that a cancel is in progress.
UNCLEAR = frozenset({408, 409, 421, 425})
#: The API refuses. A read then tells whether someone else had cancelled before.
REFUSALS = frozenset({400, 404, 410, 422})

#: Why no read proves a series cancelled, for people.
ONE_OCCURRENCE = (
    "the occurrence that the row names is cancelled, which says nothing about the others: look at the series in "
    "meetergo"
)
#: Why the readings of a cache prove nothing, for people.
CACHED = "a cache answers in place of the API, with what it kept before: have it switched off for the API's address"
#: Why an answer with the very appointment proves nothing, for people.
NO_CANCEL_SHOWN = "shows the appointment, and not that it is cancelled"
#: Why the answer alone does not prove a canary cancelled, for people.
UNVERIFIED = "the answer showed it cancelled, and reads do not: look it up in meetergo"


class Kind(Enum):
    """What one attempt turned out to be."""

    CANCELLED = "cancelled"  #: the answer shows it
    READ = "read"  #: of a read: the API has answered it
    REFUSED = "refused"  #: a clear no; a read decides which kind
    NOT_SENT = "not_sent"  #: no byte left
    NOT_PROCESSED = "not_processed"  #: answered without being processed
    UNAUTHORISED = "unauthorised"  #: 401: the credential, not the target
    FORBIDDEN = "forbidden"  #: 403: the credential or the target
    NO_ROUTE = "no_route"  #: the server has no such address: the base address is wrong
    NONSENSE = "nonsense"  #: not the API's answer, or a success without the appointment: a portal, a proxy, another API
    NOT_SHOWN = "not_shown"  #: a success with the very appointment, which does not show it cancelled
    NO_ANSWER = "no_answer"  #: cut, late, reset, or a server error: it may have been applied


#: Seconds by which the API's clock may be behind ours, including the fractions of a second that it cuts off.
_CLOCKS_DIFFER_S = 60.0
#: What an error in the API's own shape means under these statuses.
_BY_STATUS = {401: Kind.UNAUTHORISED, 403: Kind.FORBIDDEN, TOO_MANY_REQUESTS: Kind.NOT_PROCESSED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt turned out to be, with the answer that shows it."""

    kind: Kind
    answer: Answer


def classify_cancel(target: Target, answer: Answer) -> Outcome:
    """Decide what the answer to a cancel proves about `target`. A document of another appointment is dropped."""
    own = answer.about(target.appointment_id)
    return Outcome(_kind_of_cancel(target, own), own)


def _kind_of_cancel(target: Target, answer: Answer) -> Kind:
    status = answer.status
    if not answer.bytes_left:
        return Kind.NOT_SENT
    if status is None or status < 200 or status >= 500 or status in UNCLEAR:
        return Kind.NO_ANSWER
    if status < 300:
        return _kind_of_success(target, answer)
    return _kind_of_error(answer) if answer.is_api_error else Kind.NONSENSE


def _kind_of_success(target: Target, answer: Answer) -> Kind:
    if shows_cancelled(target, answer.appointment):
        return Kind.CANCELLED
    return Kind.NONSENSE if answer.appointment is None else Kind.NOT_SHOWN


def _kind_of_error(answer: Answer) -> Kind:
    if is_missing_route(answer):
        return Kind.NO_ROUTE
    if answer.status in REFUSALS:
        return Kind.REFUSED
    return _BY_STATUS.get(answer.status or 0, Kind.NO_ANSWER)


def classify_read(answer: Answer, *, told: bool) -> Kind:
    """Decide what the answer to a read says of the API as a whole; `told`: it contains what was asked for."""
    if told or (answer.is_api_error and not is_missing_route(answer) and (answer.status or 500) < 500):
        return Kind.READ
    if answer.status == TOO_MANY_REQUESTS:
        return Kind.NOT_PROCESSED
    return Kind.NO_ANSWER if answer.bytes_left else Kind.NOT_SENT


def shows_cancelled(target: Target, appointment: Appointment | None) -> bool:
    """Return whether the document in the answer to our own cancel shows its effect.

    An attendee who is absent from it was removed: the API refuses to remove anybody who is not in the appointment. For
    a series, this answer proves the cancel of the whole series; a later read of the occurrence would not.
    """
    if appointment is None or appointment.appointment_id != target.appointment_id:
        return False
    reading = Reading(target.appointment_id, appointment, 0.0)
    return see(target, reading, attended=True) in (ReadResult.CANCELLED, ReadResult.ONE_OCCURRENCE)


def resolve_refusal(target: Target, refusal: Answer, reading: Reading | None, *, attended: bool = False) -> Event:
    """Decide what a clear refusal means, given the reading that followed it.

    Without a reading there is no proof: the target becomes unknown, and the next reconcile reads it again. A reading
    that proves nothing leaves the refusal as it was given, since reading again would prove no more.
    """
    if reading is None:
        return Event.NO_PROOF
    match see(target, reading, attended=attended):
        case ReadResult.CANCELLED:
            return Event.ALREADY_CANCELLED
        case ReadResult.MISSING | ReadResult.ABSENT:
            return Event.NOT_FOUND
        case ReadResult.ACTIVE | ReadResult.ONE_OCCURRENCE:
            return Event.REJECTED
        case _:
            return Event.NOT_FOUND if refusal.status in MISSING else Event.REJECTED


def resolve_unknown(intent_at: float, appointment: Appointment | None) -> Event:
    """Decide whether the cancellation that a read shows is ours, or older than our intent.

    Both are final and good. In doubt it is ours: the people concerned are then on the rebooking list.
    """
    cancelled_at = appointment.cancelled_at if appointment else None
    if cancelled_at is not None and cancelled_at < intent_at - _CLOCKS_DIFFER_S:
        return Event.SEEN_CANCELLED_BEFORE
    return Event.SEEN_CANCELLED


def why_undecided(sight: ReadResult) -> str:
    """Return why reads cannot settle a target whose cancel has no known outcome, a clause for people."""
    return {
        ReadResult.MISSING: "the API does not find this appointment",
        ReadResult.ABSENT: "the attendee is not in it, and no reading before the cancel showed that attendee in it",
        ReadResult.ONE_OCCURRENCE: ONE_OCCURRENCE,
    }.get(sight, "the API does not say whether it is cancelled")
