"""What happened to a target, in sentences for a person: one per event, one per state."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bulk_cancel.core.model import Target
from bulk_cancel.core.states import Event, State

#: `{no}` is the number of the attempt, `{told}` what was noted with the event, `{reason}` the reason that was mailed.
SENTENCES: Mapping[Event, str] = MappingProxyType(
    {
        Event.INTENT: "Cancel no. {no} was about to be sent, {reason}.",
        Event.CANCELLED: "The API's answer shows it cancelled{told}.",
        Event.ALREADY_CANCELLED: "The API refused, and a read shows it cancelled already{told}.",
        Event.NOT_FOUND: "The API knows no such appointment or attendee{told}.",
        Event.REJECTED: "The API clearly refused{told}.",
        Event.NOT_APPLIED: "It provably took no effect, so it may be sent again{told}.",
        Event.CREDENTIAL_REFUSED: "The API refused, perhaps because of the credential, and nothing was applied{told}.",
        Event.NO_PROOF: "No answer came that proves anything, so its outcome was unknown{told}.",
        Event.RECOVERED: "The program had ended before the answer was recorded, so its outcome was unknown{told}.",
        Event.SEEN_CANCELLED: "A read shows it cancelled{told}.",
        Event.SEEN_CANCELLED_BEFORE: "A read shows that someone else had cancelled it before we sent{told}.",
        Event.SEEN_MISSING: "A read before the cancel found no such appointment{told}.",
        Event.SEEN_REFUSED: "A read before the cancel showed that the API would refuse it{told}.",
        Event.SEEN_ACTIVE: "A read shows it active{told}.",
        Event.UNDECIDED: "No read can settle it, so a person has to{told}.",
        Event.UNVERIFIED: "The first cancels were to be verified, and reads do not show this one cancelled{told}.",
        Event.RESOLVED_CANCELLED: "A person decided that it is cancelled{told}.",
        Event.RESOLVED_NOT_CANCELLED: "A person decided that it is not cancelled{told}.",
        Event.GIVEN_UP: "The run gave up for now; it was not applied{told}.",
        Event.SKIPPED: "A rule left it out{told}.",
        Event.CHANGED: "It is not what was approved, so it was left out{told}.",
        Event.RESTAGED: "A later input asked for it again.",
    }
)

#: Of each state: what it means, and what to do next.
STANDINGS: Mapping[State, tuple[str, str]] = MappingProxyType(
    {
        State.PENDING: ("It waits to be sent.", "Run the input that names it, again."),
        State.SENDING: (
            "A cancel is on its way, or was when its run died.",
            "Ask again when no run is active.",
        ),
        State.WAITING: ("It provably was not cancelled by us, and waits to be sent.", "Run the input again."),
        State.UNKNOWN: ("A cancel was sent, and nothing proves its outcome.", "It is looked up before it is sent."),
        State.CANCELLED: ("It is cancelled.", "Nothing is left to do: it is never sent again."),
        State.ALREADY_CANCELLED: ("It was cancelled already.", "Nothing is left to do: it is never sent again."),
        State.NOT_FOUND: ("The API does not know it.", "Correct the row and run it as a new input."),
        State.REJECTED: ("The API refused it.", "Correct the row (a flag, the reason, the user) and run it anew."),
        State.FAILED: ("It could not be sent and provably was not.", "Run the input again: it is taken up again."),
        State.SKIPPED: ("A rule left it out.", "Run the input again, without that rule if it is wanted."),
    }
)


def sentence_of(event: Event, attempt_no: int, http_status: int | None, detail: str) -> str:
    """Say what an event of a target's history means."""
    reason = f"with the reason “{detail}”" if detail else "without a reason"
    told = "; ".join(part for part in (f"HTTP {http_status}" if http_status else "", detail) if part)
    return SENTENCES[event].format(no=attempt_no, told=f" ({told})" if told else "", reason=reason)


def name_of(target: Target) -> str:
    """Say which part of an appointment the target is."""
    if target.entire_series:
        return "the whole series from this appointment on"
    return f"attendee {target.attendee_id} only" if target.attendee_id else "the whole appointment"
