"""Reads for plans and searches: within the key's limit, and again when an answer proves nothing. Owns no sender."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import anyio

from bulk_cancel.api.port import Line, Listed, Page, Query
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import Answer, Request, Target
from bulk_cancel.core.outcome import TOO_MANY_REQUESTS
from bulk_cancel.core.readings import Reading, is_missing_route, is_refusal, reading_of
from bulk_cancel.core.retry import LONGEST_PAUSE_S, show_long_pause
from bulk_cancel.engine.context import no_route
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.retrying import Attempts
from bulk_cancel.errors import BulkCancelError, ConfigError, CredentialError, NoAnswerError, UnreachableError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

T = TypeVar("T")

ATTEMPTS = Attempts(5, first_s=0.5, most_s=10)
_PAGE_SIZE = 100
#: A list with more pages is taken for one whose server does not end it.
MOST_PAGES = 10_000


@dataclass
class Reader:
    """A line and the limiter of its key. `remember` saves the limiter's state."""

    line: Line
    limiter: Limiter
    log: FilteringBoundLogger
    remember: Callable[[PaceRecord], None] = lambda _: None
    credential: str = "the credential"  #: where a person finds it
    requests: int = 0
    throttled: int = 0

    async def page(self, query: Query) -> Page:
        """Read one page, with `asked_at`. Raises CredentialError or UnreachableError without an answer."""

        async def ask() -> tuple[Answer, Page | None]:
            asked_at = self.limiter.clock.monotonic()
            page = await self.line.page(query)
            return page.answer, None if page.appointments is None else replace(page, asked_at=asked_at)

        return await self.surely(ask, "the list of appointments")

    async def users(self, offset: int) -> Listed[str]:
        """Read the ids of up to 100 users, admins only. Raises as `page` does."""

        async def ask() -> tuple[Answer, Listed[str] | None]:
            users = await self.line.users(_PAGE_SIZE, offset)
            return users.answer, None if users.items is None else users

        return await self.surely(ask, "the list of users")

    async def read(self, target: Target, request: Request, attempts: Attempts = ATTEMPTS) -> Reading:
        """Read one appointment. A 404 of the API is a reading, too. Raises as `page` does."""

        async def ask() -> tuple[Answer, Reading | None]:
            asked_at = self.limiter.clock.monotonic()
            answer = await self.line.read(target, request)
            return answer, reading_of(target.appointment_id, answer, asked_at)

        return await self.surely(ask, f"appointment {target.appointment_id}", attempts)

    async def surely(
        self, ask: Callable[[], Awaitable[tuple[Answer, T | None]]], what: str, attempts: Attempts = ATTEMPTS
    ) -> T:
        """Ask, several times if needed, for an answer of the API. Raises as `page` does; errors name `what`."""

        async def attempt() -> tuple[Answer, T | None]:
            return await self._once(ask)

        def again(found: tuple[Answer, T | None]) -> bool:
            return found[1] is None and not is_refusal(found[0])

        found: tuple[Answer, T | None] = await attempts.retrying(again, self.limiter.jitter, anyio.sleep)(attempt)
        if found[1] is None:
            raise _failure(found[0], what, self.credential)
        return found[1]

    async def _once(self, ask: Callable[[], Awaitable[tuple[Answer, T | None]]]) -> tuple[Answer, T | None]:
        await self.limiter.acquire()
        self.remember(self.limiter.record())
        started_at = self.limiter.clock.monotonic()
        self.requests += 1
        answer, value = await ask()
        if answer.status == TOO_MANY_REQUESTS:
            self.throttled += 1
            pause_s = self.limiter.throttled(started_at, answer.retry_after_s)
            self.remember(self.limiter.record())
            self.log.info("read.throttled", pause_s=round(pause_s, 1))
            if pause_s > LONGEST_PAUSE_S:
                raise UnreachableError(show_long_pause(pause_s), advice="Try again then.")
        elif answer.status is not None:
            self.limiter.served()
        return answer, value


def _failure(answer: Answer, what: str, credential: str) -> BulkCancelError:
    if is_missing_route(answer):
        return ConfigError(no_route(answer), advice="Nothing was sent.")
    if answer.is_api_error and answer.status in (400, 401, 403):
        return CredentialError(
            f"The API does not show {what} ({answer.status}): {answer.message or 'no reason given'}.",
            advice=f"Check {credential} (keys expire after 1 to 90 days), the user id, and what this user may see.",
        )
    why = f"it answers {answer.status}" if answer.status else answer.message
    return NoAnswerError(what, why)


async def each_page(reader: Reader, query: Callable[[int, int], Query], take: Callable[[Page], bool]) -> None:
    """Read page after page until one is empty, or `take` returns False. `query` gets a page's number and size.

    A first page with fewer items than were asked for is either the whole list, or the most that this server returns at
    once: the next pages are asked for in that size, which is right in both cases. Raises as `Reader.page` does, and
    UnreachableError for a list that does not end.
    """
    size = _PAGE_SIZE
    for number in range(MOST_PAGES):
        page = await reader.page(query(number, size))
        if not page.size or not take(page):
            return
        if number == 0:
            size = min(size, page.size)
    raise UnreachableError("The API's list of appointments does not end.", advice="Ask for fewer days.")
