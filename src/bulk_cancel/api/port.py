"""What the engine needs of the API. Every call returns a value; none raises for errors of the server or network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bulk_cancel.core.closure import Offer, PendingBooking
from bulk_cancel.core.credential import Credential
from bulk_cancel.core.model import Answer, Appointment, Request, Target

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The API's address, the credential, and the time limits of one exchange."""

    base_url: str
    credential: Credential
    user_id: str | None = None
    timeout_s: float = 30.0
    agent: str = "bulk-cancel"
    with_contacts: bool = False  #: read names and addresses as well, when a person asked for them
    now: Callable[[], float] = time.time  #: seconds since the epoch


@dataclass(frozen=True, slots=True)
class Query:
    """A page of `GET /appointment/paginated`: appointments by start, at most 100 a page, pages counted from 0."""

    page: int
    page_size: int = 100
    start: str | None = None  #: ISO 8601, the earliest start of an appointment
    end: str | None = None  #: ISO 8601, the latest start, inclusive
    user_id: str | None = None  #: the acting user, Platform keys only
    host_id: str | None = None  #: another user's appointments, admins only
    meeting_type_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a query: the appointments on the page, None when the answer is not such a list."""

    answer: Answer
    appointments: tuple[Appointment, ...] | None
    unreadable: int = 0  #: items on the page that are not an appointment with a UUID
    total: int | None = None  #: appointments on all pages, as the API counts them; None: it does not say
    asked_at: float = 0.0  #: when the request left, on the clock of its reader

    @property
    def size(self) -> int:
        """The number of items on the page."""
        return len(self.appointments or ()) + self.unreadable


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """The answer to a request for a list of ids, bookings or starts; `items` is None when it has no known shape."""

    answer: Answer
    items: tuple[T, ...] | None
    unreadable: int = 0  #: items of the list that say too little
    total: int | None = None  #: items on all pages, as the API counts them; None: it does not say
    size: int = 0  #: items of the list, also those that do not count


@dataclass(frozen=True, slots=True)
class PendingQuery:
    """A page of `GET /provisional-booking/paginated`. The names of its parameters are inferred."""

    page: int
    page_size: int = 100
    status: str = "pending"  #: or `declined_by_host`; a booking itself does not say its status
    host_id: str | None = None  #: another user's bookings, admins only


@dataclass(frozen=True, slots=True)
class SlotsQuery:
    """What to ask of `GET /booking-availability`."""

    offer: Offer
    start: str  #: ISO 8601
    end: str  #: ISO 8601
    timezone: str


def at_once() -> bool:
    """Let a request leave, whatever time its connection took."""
    return True


class Line(Protocol):
    """One connection to the API, for one exchange at a time. A worker holds its own."""

    async def cancel(self, target: Target, request: Request, may_leave: Callable[[], bool] = at_once) -> Answer:
        """POST the cancel, if `may_leave` is true when the connection stands, just before the first byte.

        `Answer.bytes_left` is False only when it is proven that nothing of it left this machine.
        """

    async def read(self, target: Target, request: Request) -> Answer:
        """GET the target's appointment, with headers that bypass caches."""

    async def page(self, query: Query) -> Page:
        """GET one page of appointments."""

    async def users(self, limit: int, offset: int) -> Listed[str]:
        """GET the ids of one part of the company's users, admins only."""

    async def me(self) -> Listed[str]:
        """GET the id of the acting user."""

    async def pending(self, query: PendingQuery) -> Listed[PendingBooking]:
        """GET one page of bookings that wait for a confirmation."""

    async def meeting_types(self, user_id: str | None) -> Listed[str]:
        """GET the ids of the acting user's meeting types; `user_id`: of this one, with Platform keys only."""

    async def slots(self, query: SlotsQuery) -> Listed[str]:
        """GET the starts of the bookable slots of one meeting type with one host, bypassing caches."""

    async def aclose(self) -> None:
        """Close the connection."""
