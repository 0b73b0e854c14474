"""The values that every part of the program passes around: targets, work, appointments, answers, ledger entries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from bulk_cancel.core.states import Event, State

if TYPE_CHECKING:
    from bulk_cancel.core.clock import Past
    from bulk_cancel.core.readings import Reading


class Status(StrEnum):
    """What became of a row of the input, as people read it in files and summaries."""

    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    PENDING = "pending"
    SKIPPED = "skipped"
    INVALID = "invalid"


_STATUS_OF = {State.SENDING: Status.UNKNOWN, State.WAITING: Status.PENDING}


def status_of(state: State | None) -> Status:
    """Translate a target's state into a row's status; a row without a target is invalid."""
    if state is None:
        return Status.INVALID
    return _STATUS_OF.get(state) or Status(state.value)


class InputRow(NamedTuple):
    """One validated row of the input. A plain tuple for speed: there are millions, a chunk at a time."""

    row: int  #: as a spreadsheet shows it: the header is row 1
    appointment_id: str | None  #: None when the row is invalid
    attendee_id: str | None
    entire_series: bool
    cancel_all: bool
    reason: str | None
    user_id: str | None
    first_row: int | None  #: the first row that names the same target; None when invalid
    problems: str | None  #: all reasons why the row is invalid, joined with "; "
    account: str | None = None  #: whose credential and limit are used; None: the run's own
    reason_given: bool = False  #: the reason is the job's, not the row's own
    asked: bool = False  #: in a correction file: it says all that was asked, and no option adds anything
    other_reason: bool = False  #: its reason is another one than that of its first row, and is not mailed
    stands: bool = False  #: an approved plan sends nothing for it: a refusal of its target is not taken up again


@dataclass(frozen=True, slots=True)
class Target:
    """What one cancel acts on. The idempotency key of the ledger."""

    appointment_id: str  #: canonical lower-case UUID
    attendee_id: str | None = None  #: None: the whole appointment
    entire_series: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What a cancel of a target asks of the API: the optional fields of the body, and the acting user."""

    reason: str | None = None
    cancel_all: bool = False
    user_id: str | None = None  #: the acting user (`x-meetergo-api-user-id`), Platform keys only
    account: str = ""  #: whose credential and limit are used; empty: the run's own


@dataclass(frozen=True, slots=True)
class Scope:
    """What one runner works on: the targets of one account, in the whole ledger or in a chunk of a run's rows."""

    account: str = ""
    chunk: Chunk | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a run's work: the targets of one account that these rows were the last to ask for, or its series."""

    run_no: int
    chunk_no: int
    after_row: int
    last_row: int
    series: bool = False


@dataclass(slots=True)
class Work:
    """One target on its way through a worker. Mutable: it follows the ledger's record of itself."""

    target_id: int
    target: Target
    request: Request
    state: State
    attempts: int  #: intents so far, over all runs
    must_be_read: bool = False  #: another cancel may have included it, or it was refused once: read before sending
    is_looked_at: bool = False  #: read before sending since that costs next to nothing
    attended: bool = False  #: a reading showed its attendee in the appointment
    start: str | None = None  #: when the appointment starts, if an answer said so
    is_cancelled: bool = False  #: the ledger knows the whole appointment as cancelled, by another target's outcome
    series: Past | None = None  #: when a series was heard of last that was sent, with the longest settle time of all
    refused: Past | None = None  #: when a cancel of it was refused last
    reading: Reading | None = None  #: the newest; None: it was not read
    sent: bool = False  #: in this run
    moved_at: float = 0.0  #: when its last event was handed to the ledger, on the clock of `Clock.monotonic`


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach an attendee. Read only when a person asked for it; kept out of ledger, logs and reprs."""

    attendee_id: str
    name: str = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Appointment:
    """The part of the API's appointment object that decides anything. Never holds secrets; contacts only on request."""

    appointment_id: str
    is_cancelled: bool | None  #: None: the document does not say, and proves nothing
    cancelled_at: float | None = None  #: `cancel.actionAt`, else `deletedAt`, seconds since the epoch
    cancelled_by: str | None = None  #: `cancel.actionSource`: who or what did it, a role and not a name
    attendee_ids: frozenset[str] | None = None  #: those still in it; None: the answer does not say
    attendee_count: int | None = None  #: how many people it shows in it, whatever their ids; None: it does not say
    removed_ids: frozenset[str] = frozenset()  #: attendees the answer lists as deleted
    start: str | None = None  #: ISO 8601
    end: str | None = None
    meeting_type_id: str | None = None
    paid: bool = False
    warnings: tuple[str, ...] = ()  #: `resolvableErrors[].errorCode`: after-effects that went wrong
    company_id: str | None = None
    host_ids: tuple[str, ...] | None = None  #: None: the document does not say
    location: str | None = None
    channel: str | None = None
    meeting: str | None = None  #: the meeting type's name
    group_booking: bool | None = None  #: None: the document does not say
    created_at: float | None = None  #: seconds since the epoch; None: the document does not say
    contacts: tuple[Contact, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one exchange with the API brought back, or why it failed."""

    status: int | None = None  #: None: no complete answer
    bytes_left: bool = True  #: False: proven that no byte of the request left this machine
    appointment: Appointment | None = None  #: None: the body is not one appointment
    message: str = ""  #: the API's message or the failure, cleaned and shortened
    retry_after_s: float | None = None
    is_api_error: bool = False  #: the body is an error as the API words them, of this status
    out_of_files: bool = False  #: this machine's limit of open files prevented a connection: no fault of the API
    age_s: float = 0.0  #: for how long a cache has kept it, as the cache says; infinite when it does not say

    def about(self, appointment_id: str) -> Answer:
        """Return the answer, without its document when that is of another appointment: nothing of it may be used."""
        if self.appointment is None or self.appointment.appointment_id == appointment_id:
            return self
        return replace(self, appointment=None, message="the answer shows another appointment")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event for the ledger. `was` guards it: another state in the ledger means a bug, and nothing is written."""

    target_id: int
    event: Event
    was: State
    attempt_no: int
    at: float  #: seconds since the epoch
    http_status: int | None = None
    detail: str = ""
    appointment: Appointment | None = field(default=None, compare=False)  #: what else was learnt on the way
