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
    start: str | None = None  #: ISO 8601, a bound on the appointments' start
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a query: the appointments on the page, None when the answer is no list of appointments."""

    answer: Answer
    appointments: tuple[Appointment, ...] | None


class Line(Protocol):
    """One connection to the API, for one exchange at a time. A worker holds its own."""

    async def cancel(self, target: Target, request: Request) -> Answer:
        """POST the cancel. `Answer.bytes_left` is False only when it is proven that nothing of it left this machine."""

    async def read(self, target: Target, request: Request) -> Answer:
        """GET the target's appointment, asking caches to stay out of it."""

    async def page(self, query: Query) -> Page:
        """GET one page of appointments."""

    async def aclose(self) -> None:
        """Close the connection."""
