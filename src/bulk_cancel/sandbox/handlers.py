"""What each route of the API does, without HTTP: it takes a call and returns a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import Field

from bulk_cancel.sandbox.cancelling import Order, find_permitted
from bulk_cancel.sandbox.closure_reads import SlotsQuery, read_availability, read_pending
from bulk_cancel.sandbox.credentials import Credential, read_acting_user
from bulk_cancel.sandbox.documents import Document, appointment_document, meeting_type_document, user_document
from bulk_cancel.sandbox.fields import Fields, Uuid, read_fields
from bulk_cancel.sandbox.instance import Sandbox
from bulk_cancel.sandbox.paging import Query, read_page, read_today
from bulk_cancel.sandbox.people import MEETING_TYPES, USERS, User
from bulk_cancel.sandbox.refusal import Refused


@dataclass(frozen=True, slots=True)
class Call:
    """One request with an accepted credential."""

    credential: Credential
    headers: Mapping[str, str]
    query: Mapping[str, str]
    target: str = ""
    body: bytes = b""
    stale_s: float = 0.0

    @property
    def user(self) -> User:
        """The acting user. Refused where none may act."""
        return read_acting_user(self.credential, self.headers)

    @property
    def appointment_id(self) -> str:
        """The appointment that the path names. Refused where it is no UUID."""
        return read_fields(_Target, {"id": self.target}).id


class _Target(Fields):
    id: Uuid


class _UsersQuery(Fields):
    offset: int = Field(0, ge=0)
    limit: int = Field(50, ge=0)


@dataclass(frozen=True, slots=True)
class Plain:
    """A plain answer, before any fault."""

    status: int
    document: object


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One route below /v4, and its name in the record."""

    method: str
    path: str
    name: str
    handler: Callable[[Sandbox, Call], object]
    status: int = 200  #: of a success


def answer(route: ApiRoute, sandbox: Sandbox, call: Call) -> Plain:
    """Return the plain answer of a route; a refusal is an answer, too."""
    try:
        with sandbox.lock:
            return Plain(route.status, route.handler(sandbox, call))
    except Refused as refused:
        return Plain(refused.status, refused.document())


def read_one(sandbox: Sandbox, call: Call) -> Document:
    """One appointment."""
    user = call.user
    found = sandbox.book.find(call.appointment_id, stale_s=call.stale_s)
    return appointment_document(find_permitted(found, user))


def _cancel(sandbox: Sandbox, call: Call) -> Document:
    user = call.user
    order = read_fields(Order, call.body or b"{}")
    return appointment_document(sandbox.desk.carry_out(call.appointment_id, order, user, datetime.now(UTC)))


def _read_page(sandbox: Sandbox, call: Call) -> Document:
    user = call.user
    appointments = sandbox.book.everything(stale_s=call.stale_s)
    return read_page(appointments, read_fields(Query, call.query), user, sandbox.options.quirks)


def _read_today(sandbox: Sandbox, call: Call) -> list[Document]:
    return read_today(sandbox.book.everything(stale_s=call.stale_s), call.user, datetime.now(UTC).date())


def _read_pending(sandbox: Sandbox, call: Call) -> Document:
    everything, options = tuple(sandbox.book.everything()), sandbox.options
    return read_pending(everything, options.pending, call.query, call.user, options.quirks)


def _read_availability(sandbox: Sandbox, call: Call) -> Document:
    read_acting_user(call.credential, call.headers)
    query = read_fields(SlotsQuery, call.query)
    kept = query.model_copy(update={"refresh_cache": ""})
    if query.refresh_cache == "true" or kept not in sandbox.slots:
        everything = tuple(sandbox.book.everything(stale_s=call.stale_s))
        sandbox.slots[kept] = read_availability(everything, sandbox.blocked, query, sandbox.options.quirks)
    return sandbox.slots[kept]


def _read_users(sandbox: Sandbox, call: Call) -> Document:
    if not call.user.admin:
        raise Refused(403, "Only admins read the users")
    asked = read_fields(_UsersQuery, call.query)
    users = [user_document(user) for user in USERS[asked.offset : asked.offset + asked.limit]]
    return {"users": users, "total": len(USERS)}


def _read_me(sandbox: Sandbox, call: Call) -> Document:
    return user_document(read_acting_user(call.credential, call.headers, required=False))


def _read_meeting_types(sandbox: Sandbox, call: Call) -> list[Document]:
    read_acting_user(call.credential, call.headers)
    return [meeting_type_document(meeting_type) for meeting_type in MEETING_TYPES]


CANCEL = ApiRoute("POST", "/appointment/{id}/cancel", "cancel", _cancel, status=201)
READS = (
    ApiRoute("GET", "/appointment/paginated", "paginated", _read_page),
    ApiRoute("GET", "/appointment/today", "today", _read_today),
    ApiRoute("GET", "/appointment/{id}", "appointment", read_one),
    ApiRoute("GET", "/provisional-booking/paginated", "provisional-bookings", _read_pending),
    ApiRoute("GET", "/booking-availability", "availability", _read_availability),
    ApiRoute("GET", "/user/me", "me", _read_me),
    ApiRoute("GET", "/user", "users", _read_users),
    ApiRoute("GET", "/meeting-type", "meeting-types", _read_meeting_types),
)
