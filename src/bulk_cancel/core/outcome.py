"""What an answer proves. Everything that is not a proof is unknown.

The API documents neither the success status nor what a second cancel does, so a 2xx counts only when its body shows
this very target cancelled, and a refusal only when its status says that nothing was processed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bulk_cancel.core.model import Answer, Appointment, Target
from bulk_cancel.core.states import Event

#: The server says that it did not process the request.
NOT_PROCESSED = frozenset({408, 421, 425, 429})
#: The server says no. Whether someone else had cancelled before, a read tells.
REFUSALS = frozenset({400, 404, 409, 410, 422})
MISSING = frozenset({404, 410})


class Kind(Enum):
    """What one attempt turned out to be."""

    CANCELLED = "cancelled"  #: the answer shows it
    REFUSED = "refused"  #: a clear no; a read decides which kind
    NOT_SENT = "not_sent"  #: no byte left
    NOT_PROCESSED = "not_processed"  #: answered without being processed
    UNAUTHORISED = "unauthorised"  #: 401: the credential, not the target
    FORBIDDEN = "forbidden"  #: 403: the credential or the target
    NONSENSE = "nonsense"  #: a 2xx or 3xx that shows nothing: a portal, a proxy, another API
    NO_ANSWER = "no_answer"  #: cut, late, reset, or a server error: it may have been applied


class ReadResult(Enum):
    """What a read shows of a target."""

    CANCELLED = "cancelled"
    ACTIVE = "active"
    MISSING = "missing"  #: no such appointment, or the attendee is not in it
    NOTHING = "nothing"  #: no proof of anything


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's meaning, with the answer it was read from."""

    kind: Kind
    answer: Answer


def classify_cancel(target: Target, answer: Answer) -> Outcome:
    """Decide what the answer to a cancel proves about `target`."""
    return Outcome(_kind_of_cancel(target, answer), answer)


def _kind_of_cancel(target: Target, answer: Answer) -> Kind:
    if not answer.bytes_left:
        return Kind.NOT_SENT
    if answer.status is None:
        return Kind.NO_ANSWER
    if 200 <= answer.status < 300:
        return Kind.CANCELLED if shows_cancelled(target, answer.appointment) else Kind.NONSENSE
    if answer.status in NOT_PROCESSED:
        return Kind.NOT_PROCESSED
    if answer.status in REFUSALS:
        return Kind.REFUSED
    return {401: Kind.UNAUTHORISED, 403: Kind.FORBIDDEN}.get(
        answer.status, Kind.NONSENSE if 300 <= answer.status < 400 else Kind.NO_ANSWER
    )


def shows_cancelled(target: Target, appointment: Appointment | None) -> bool:
    """Whether `appointment` proves that nobody needs to send this target any more."""
    if appointment is None or appointment.appointment_id != target.appointment_id:
        return False
    if _whole_is_cancelled(appointment):
        return True
    if target.attendee_id is None:
        return False
    return not _attends(target.attendee_id, appointment)


def _whole_is_cancelled(appointment: Appointment) -> bool:
    return appointment.is_cancelled or appointment.cancelled_at is not None


def _attends(attendee_id: str, appointment: Appointment) -> bool:
    """Absence is proven by a list without the attendee or by a deletion mark, never by a list that is not there."""
    if attendee_id in appointment.removed_ids:
        return False
    return appointment.attendee_ids is None or attendee_id in appointment.attendee_ids


def classify_read(target: Target, answer: Answer) -> ReadResult:
    """Decide what the answer to a read shows of `target`."""
    if answer.status in MISSING:
        return ReadResult.MISSING
    appointment = answer.appointment
    if answer.status is None or not 200 <= answer.status < 300 or appointment is None:
        return ReadResult.NOTHING
    if appointment.appointment_id != target.appointment_id:
        return ReadResult.NOTHING
    if shows_cancelled(target, appointment):
        return ReadResult.CANCELLED
    return ReadResult.ACTIVE if _tells_of(target, appointment) else ReadResult.NOTHING


def _tells_of(target: Target, appointment: Appointment) -> bool:
    """An answer without a list of attendees leaves open whether one of them is still in it."""
    return target.attendee_id is None or appointment.attendee_ids is not None


def resolve_refusal(target: Target, refusal: Answer, read: Answer) -> Event:
    """Decide what a clear refusal means, given the read that followed it.

    A read that shows nothing leaves no proof: the target becomes unknown, and the next reconcile asks again. Where
    asking again would bring the same, the refusal stands as it was given.
    """
    sight = classify_read(target, read)
    if sight is ReadResult.NOTHING:
        return _plain_refusal(refusal) if _will_say_no_more(target, read) else Event.NO_PROOF
    if sight is ReadResult.MISSING:
        return Event.NOT_FOUND
    if sight is ReadResult.ACTIVE:
        return Event.REJECTED
    # An attendee who is absent without a deletion mark was perhaps never in it: a typing error must not look like
    # a good end.
    return Event.ALREADY_CANCELLED if _was_there(target, read.appointment) else Event.NOT_FOUND


def _will_say_no_more(target: Target, read: Answer) -> bool:
    if read.appointment is not None:
        return read.appointment.appointment_id == target.appointment_id
    return read.status is not None and 400 <= read.status < 500 and read.status not in NOT_PROCESSED


def _plain_refusal(refusal: Answer) -> Event:
    return Event.NOT_FOUND if refusal.status in MISSING else Event.REJECTED


def _was_there(target: Target, appointment: Appointment | None) -> bool:
    if target.attendee_id is None or appointment is None:
        return True
    return _whole_is_cancelled(appointment) or target.attendee_id in appointment.removed_ids


def resolve_unknown(intent_at: float, appointment: Appointment | None) -> Event:
    """Say whose cancellation a read shows: ours, or one that is older than our intent.

    Both ends are good and final; a skewed clock can only confuse whom the report thanks.
    """
    cancelled_at = appointment.cancelled_at if appointment else None
    if cancelled_at is not None and cancelled_at < intent_at:
        return Event.SEEN_CANCELLED_BEFORE
    return Event.SEEN_CANCELLED
