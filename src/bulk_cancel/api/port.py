"""What the engine needs of the API. Every call answers with a value; none raises for what a server or network does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bulk_cancel.core.model import Answer, Appointment, Request, Target


@dataclass(frozen=True, slots=True)
class Query:
    """A page of `GET /appointment/paginated`: appointments by start, at most 100 a page, pages counted from 0."""

    page: int
    page_size: int = 100
    start: str | None = None  #: ISO 8601, the earliest start of an appointment
    end: str | None = None  #: ISO 8601, the latest start, inclusive
    user_id: str | None = None  #: as whom to ask, Platform keys only
    host_id: str | None = None  #: another user's appointments, admins only
    meeting_type_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a query: the appointments on the page, None when the answer is no list of appointments."""

    answer: Answer
    appointments: tuple[Appointment, ...] | None
    unreadable: int = 0  #: items on the page that are no appointment with an id that can be cancelled
    total: int | None = None  #: appointments on all pages, as the API counts them; None: it does not say

    @property
    def size(self) -> int:
        """The number of items on the page."""
        return len(self.appointments or ()) + self.unreadable


@dataclass(frozen=True, slots=True)
class Users:
    """The answer to a request for users: their ids, None when it is no list of users."""

    answer: Answer
    user_ids: tuple[str, ...] | None
    unreadable: int = 0  #: items of the list without an id
    total: int | None = None  #: users of the company, as the API counts them; None: it does not say


class Line(Protocol):
    """One connection to the API, for one exchange at a time. A worker holds its own."""

    async def cancel(self, target: Target, request: Request) -> Answer:
        """POST the cancel. `Answer.bytes_left` is False only when it is proven that nothing of it left this machine."""

    async def read(self, target: Target, request: Request) -> Answer:
        """GET the target's appointment, asking caches to stay out of it."""

    async def page(self, query: Query) -> Page:
        """GET one page of appointments."""

    async def users(self, limit: int, offset: int) -> Users:
        """GET one part of the company's users, admins only."""

    async def aclose(self) -> None:
        """Close the connection."""
