"""The law: which event may change which state of a target, and into what.

    pending ── intent ──▶ sending ──▶ cancelled | already_cancelled | not_found | rejected    settled
       ▲    ├─ given_up ▶ failed                                      no reading told what must be known first
       │    └─ changed ▶ skipped                                      not what was approved: a person has to
       │                     │
       │                     ├──▶ waiting ── intent ──▶ sending      proven not applied, sent again
       └── credential ◀──────┤       └────── given_up ▶ failed       proven not applied, budget spent
                             └──▶ unknown ──▶ cancelled              a read shows it
                                     ├──────▶ waiting                reads show it active after the settle time
                                     └──────▶ unknown                undecided, or a canary that is not verified:
                                                                     a person has to

Only `intent` leads to `sending`, and nothing leads from `sending` or `unknown` to it: a target whose last attempt
has no trustworthy outcome cannot be sent. `cancelled` and `already_cancelled` have no exit. A refusal (`rejected`,
`not_found`) proves that nothing was applied; its one exit is `restaged`: when the input asks for something else than
what was refused (another flag, reason or acting user), or when a person has the refused rows taken up again. A target
that was refused once is read before it is ever sent again.

`seen_active` of a target that was not sent yet changes no state: it records that a reading showed the attendee in the
appointment, without which the attendee's absence would prove nothing later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a target stands."""

    PENDING = "pending"
    SENDING = "sending"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    FAILED = "failed"
    SKIPPED = "skipped"


class Event(StrEnum):
    """What can happen to a target. Each event is one row of the ledger's history."""

    INTENT = "intent"  #: about to send attempt n; durable before the bytes leave
    CANCELLED = "cancelled"  #: the answer shows the target cancelled
    ALREADY_CANCELLED = "already_cancelled"  #: refused, and a read shows it cancelled
    NOT_FOUND = "not_found"  #: refused: no such appointment, or no such attendee in it
    REJECTED = "rejected"  #: a clear refusal; of a pending target, a 403 that has turned out to be the row's
    NOT_APPLIED = "not_applied"  #: proven not applied, may be sent again
    CREDENTIAL_REFUSED = "credential_refused"  #: 401, or a 403 that may be the credential's: not applied
    NO_PROOF = "no_proof"  #: the answer, or its absence, proves nothing
    RECOVERED = "recovered"  #: found in `sending` on start-up
    SEEN_CANCELLED = "seen_cancelled"  #: a read shows it cancelled
    SEEN_CANCELLED_BEFORE = "seen_cancelled_before"  #: a read shows it cancelled before the intent, by someone else
    SEEN_MISSING = "seen_missing"  #: a read before the first send finds no such appointment
    SEEN_REFUSED = "seen_refused"  #: a read before the first send shows that the API would refuse it
    SEEN_ACTIVE = (
        "seen_active"  #: two reads after the settle time show it active; before a send, one read shows the attendee
    )
    UNDECIDED = "undecided"  #: after the settle time no read can settle it: a person has to decide
    UNVERIFIED = "unverified"  #: reads do not show the effect of a canary's cancel: a person has to decide
    RESOLVED_CANCELLED = "resolved_cancelled"  #: a named person says so
    RESOLVED_NOT_CANCELLED = "resolved_not_cancelled"  #: a named person says so
    GIVEN_UP = "given_up"  #: the budget of attempts is spent: to send it, or to read it first
    SKIPPED = "skipped"  #: policy
    CHANGED = "changed"  #: it differs from what was approved: a person has to decide
    RESTAGED = "restaged"  #: the input asks for it again: differently, or a person has refusals taken up again


class IllegalTransitionError(Exception):
    """The law does not allow this event in this state; nothing was changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a target that is {state.value} cannot take the event {event.value}")
        self.state, self.event = state, event


_S, _E = State, Event

TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (_S.PENDING, _E.INTENT): _S.SENDING,
        (_S.PENDING, _E.SEEN_CANCELLED): _S.ALREADY_CANCELLED,
        (_S.PENDING, _E.SEEN_MISSING): _S.NOT_FOUND,
        (_S.PENDING, _E.SEEN_REFUSED): _S.REJECTED,
        (_S.PENDING, _E.REJECTED): _S.REJECTED,
        (_S.PENDING, _E.SEEN_ACTIVE): _S.PENDING,
        (_S.PENDING, _E.SKIPPED): _S.SKIPPED,
        (_S.PENDING, _E.CHANGED): _S.SKIPPED,
        (_S.PENDING, _E.GIVEN_UP): _S.FAILED,
        (_S.SENDING, _E.CANCELLED): _S.CANCELLED,
        (_S.SENDING, _E.ALREADY_CANCELLED): _S.ALREADY_CANCELLED,
        (_S.SENDING, _E.NOT_FOUND): _S.NOT_FOUND,
        (_S.SENDING, _E.REJECTED): _S.REJECTED,
        (_S.SENDING, _E.NOT_APPLIED): _S.WAITING,
        (_S.SENDING, _E.CREDENTIAL_REFUSED): _S.PENDING,
        (_S.SENDING, _E.NO_PROOF): _S.UNKNOWN,
        (_S.SENDING, _E.RECOVERED): _S.UNKNOWN,
        (_S.WAITING, _E.INTENT): _S.SENDING,
        (_S.WAITING, _E.SEEN_CANCELLED): _S.ALREADY_CANCELLED,
        (_S.WAITING, _E.SEEN_MISSING): _S.NOT_FOUND,
        (_S.WAITING, _E.SEEN_REFUSED): _S.REJECTED,
        (_S.WAITING, _E.SEEN_ACTIVE): _S.WAITING,
        (_S.WAITING, _E.GIVEN_UP): _S.FAILED,
        (_S.WAITING, _E.SKIPPED): _S.SKIPPED,
        (_S.WAITING, _E.CHANGED): _S.SKIPPED,
        (_S.FAILED, _E.RESTAGED): _S.PENDING,
        (_S.SKIPPED, _E.RESTAGED): _S.PENDING,
        (_S.REJECTED, _E.RESTAGED): _S.PENDING,
        (_S.NOT_FOUND, _E.RESTAGED): _S.PENDING,
        (_S.UNKNOWN, _E.SEEN_CANCELLED): _S.CANCELLED,
        (_S.UNKNOWN, _E.SEEN_CANCELLED_BEFORE): _S.ALREADY_CANCELLED,
        (_S.UNKNOWN, _E.SEEN_ACTIVE): _S.WAITING,
        (_S.UNKNOWN, _E.UNDECIDED): _S.UNKNOWN,
        (_S.UNKNOWN, _E.UNVERIFIED): _S.UNKNOWN,
        (_S.UNKNOWN, _E.RESOLVED_CANCELLED): _S.CANCELLED,
        (_S.UNKNOWN, _E.RESOLVED_NOT_CANCELLED): _S.WAITING,
    }
)

#: Final and good: no exit, ever.
DONE = frozenset({State.CANCELLED, State.ALREADY_CANCELLED})
#: Final for what was asked. Never sent again unless the input asks for something else.
SETTLED = DONE | {State.NOT_FOUND, State.REJECTED}
#: May be sent: no cancel can have been applied.
SENDABLE = frozenset({State.PENDING, State.WAITING})
#: Sent, without a trustworthy outcome.
OPEN = frozenset({State.SENDING, State.UNKNOWN})
#: Events whose moment tells until when a cancel without an outcome was on its way.
UNANSWERED = frozenset({Event.INTENT, Event.NO_PROOF})
#: States that count as errors for `--max-errors`.
REFUSED = (State.REJECTED, State.NOT_FOUND, State.FAILED)


def next_state(state: State, event: Event) -> State:
    """Return the state that `event` leads to. Raises IllegalTransitionError, and then nothing has changed."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None


def fold(events: Iterable[Event]) -> State:
    """Recompute a target's state from its whole history."""
    state = State.PENDING
    for event in events:
        state = next_state(state, event)
    return state


#: States in which a run still has to act on the target.
UNDERWAY = (State.PENDING, State.SENDING, State.WAITING)
