"""One connection to the API: builds requests, bounds every exchange in time and size, and returns its result.

Each worker has a line of its own with one connection. A shared pool of httpx 0.28 takes time quadratic in the number of
waiting requests, and may close a connection that it has just given to one of them: a false unknown.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from bulk_cancel.api.closure_documents import parse_meeting_types, parse_pending, parse_slots
from bulk_cancel.api.documents import (
    is_api_error,
    parse_appointment,
    parse_json,
    parse_message,
    parse_page,
    parse_users,
)
from bulk_cancel.api.failures import EXCHANGE_ERRORS, Trace
from bulk_cancel.api.http import httpx
from bulk_cancel.api.port import ApiSettings, Listed, Page, PendingQuery, Query, SlotsQuery, at_once
from bulk_cancel.api.transports import LONGEST_BODY, tls_context, transport_factory
from bulk_cancel.core.closure import PendingBooking
from bulk_cancel.core.model import Answer, Request, Target
from bulk_cancel.core.retry import parse_date, parse_retry_after, parse_seconds
from bulk_cancel.core.text import clean
from bulk_cancel.ops.descriptors import is_out_of_files

#: OpenSSL's message, with the cause as a group.
#: Where caches say so that an answer is their own, and the words that say it.
_CACHE_HEADERS = ("Cache-Status", "X-Cache", "X-Cache-Status", "CF-Cache-Status")
_FROM_A_CACHE = ("hit", "stale", "updating")
_UNTRUSTED = re.compile(r"certificate verify failed: (.*?)(?:\.? \(_ssl.*)?$")


class _TooLongError(Exception):
    """The answer's body exceeds what is read."""


class HttpLine:
    """A `Line` over an httpx transport: a `Wire`, httpx's own for proxies, or a test's."""

    def __init__(self, settings: ApiSettings, transport: httpx.AsyncBaseTransport) -> None:
        self._settings = settings
        self._transport = transport
        self._date: str | None = None
        self._url = httpx.URL(settings.base_url)
        self._root = self._url.raw_path.rstrip(b"/")
        self._headers = httpx.Headers(
            {
                "Host": self._url.netloc.decode("ascii"),
                "Authorization": f"Bearer {settings.credential.secret}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": settings.agent,
            }
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    @property
    def server_date_at(self) -> float | None:
        """The Date header of the last answer, seconds since the epoch; None when it had no readable one."""
        return parse_date(self._date) if self._date else None

    async def cancel(self, target: Target, request: Request, may_leave: Callable[[], bool] = at_once) -> Answer:
        """POST /appointment/{id}/cancel with exactly the fields that are set (documented)."""
        content = json.dumps(cancel_body(target, request)).encode()
        post = self._request("POST", f"/appointment/{target.appointment_id}/cancel", request.user_id, content)
        return self._about(target, *await self._exchange(post, may_leave))

    async def read(self, target: Target, request: Request) -> Answer:
        """GET /appointment/{id} (documented by example)."""
        return self._about(target, *await self._get(f"/appointment/{target.appointment_id}", request.user_id))

    async def page(self, query: Query) -> Page:
        """GET /appointment/paginated; pages are counted from 0 and hold 1 to 100 (seen in existing clients)."""
        answer, value = await self._get(
            "/appointment/paginated",
            query.user_id,
            page=query.page,
            pageSize=query.page_size,
            start=query.start,
            end=query.end,
            userId=query.host_id,
            meetingTypeId=query.meeting_type_id,
            sortBy="appointment.start",
            sortDirection="ASC",
        )
        return parse_page(answer, value, self._settings.now(), with_contacts=self._settings.with_contacts)

    async def users(self, limit: int, offset: int) -> Listed[str]:
        """GET /user (admins); the names of its page parameters are inferred."""
        return parse_users(*await self._get("/user", limit=limit, offset=offset))

    async def me(self) -> Listed[str]:
        """GET /user/me (documented)."""
        answer, value = await self._get("/user/me")
        return parse_users(answer, {"users": [value]} if isinstance(value, dict) else None)

    async def pending(self, query: PendingQuery) -> Listed[PendingBooking]:
        """GET /provisional-booking/paginated (documented); the names of its parameters are inferred."""
        found = await self._get(
            "/provisional-booking/paginated",
            page=query.page,
            pageSize=query.page_size,
            status=query.status,
            userId=query.host_id,
        )
        return parse_pending(*found, with_contacts=self._settings.with_contacts)

    async def meeting_types(self, user_id: str | None) -> Listed[str]:
        """GET /meeting-type (documented)."""
        return parse_meeting_types(*await self._get("/meeting-type", user_id))

    async def slots(self, query: SlotsQuery) -> Listed[str]:
        """GET /booking-availability (documented); without `refreshCache` the answer may be outdated."""
        found = await self._get(
            "/booking-availability",
            meetingTypeId=query.offer.meeting_type_id,
            hostIds=query.offer.host_id,
            start=query.start,
            end=query.end,
            timezone=query.timezone,
            refreshCache="true",
        )
        return parse_slots(*found)

    async def _get(self, path: str, user_id: str | None = None, **params: str | int | None) -> tuple[Answer, Any]:
        query = urlencode({name: value for name, value in params.items() if value is not None})
        return await self._exchange(self._request("GET", f"{path}?{query}" if query else path, user_id))

    def _request(self, method: str, path: str, user_id: str | None, content: bytes = b"") -> httpx.Request:
        """Build a request with one constant URL and the path in httpx's documented extension `target`.

        Otherwise httpx parses the address for each request, which took a sixth of a cancel's CPU time.
        """
        headers = self._headers.copy()
        if acting := user_id or self._settings.user_id:
            headers["x-meetergo-api-user-id"] = acting
        if method == "POST":
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(content))
        else:
            headers["Cache-Control"] = headers["Pragma"] = "no-cache"
        extensions = {"target": self._root + path.encode("ascii")}
        return httpx.Request(
            method, self._url, headers=headers, stream=httpx.ByteStream(content), extensions=extensions
        )

    def _about(self, target: Target, answer: Answer, value: Any) -> Answer:
        """Return the answer with its document, if that is of the target's appointment."""
        if answer.status is None or not 200 <= answer.status < 300:
            return answer
        appointment = parse_appointment(value, self._settings.now(), with_contacts=self._settings.with_contacts)
        return replace(answer, appointment=appointment).about(target.appointment_id)

    async def _exchange(self, request: httpx.Request, may_leave: Callable[[], bool] = at_once) -> tuple[Answer, Any]:
        """Send and read under one deadline: a per-read timeout would not stop a server that drips bytes."""
        trace = Trace(may_leave)
        request.extensions["trace"] = trace
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await _read_capped(response)
                finally:
                    await response.aclose()
        except _TooLongError:
            return Answer(message=f"the answer is longer than {LONGEST_BODY} bytes"), None
        except EXCHANGE_ERRORS as error:
            left = trace.bytes_left(error)
            out_of_files = not left and is_out_of_files(error)
            return Answer(bytes_left=left, message=self._describe(error), out_of_files=out_of_files), None
        finally:
            await trace.release()
        self._date = response.headers.get("Date")
        value = parse_json(body)
        there = self.server_date_at
        now = self._settings.now() if there is None else there  # a date in Retry-After is by the server's clock
        wishes = (parse_retry_after(value, now) for value in response.headers.get_list("Retry-After"))
        retry_after_s = max((wish for wish in wishes if wish is not None), default=None)
        return _answer(response, value, retry_after_s), value

    def _describe(self, error: Exception) -> str:
        """Return what went wrong, and through which proxy."""
        proxy = getattr(self._transport, "proxy_name", "")
        return clean(f"{_reason(error, self._settings.timeout_s)}{proxy and f', through {proxy}'}")


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no complete answer within {timeout_s:g} s"
    if untrusted := _UNTRUSTED.search(str(error)):
        return f"the server's certificate is not trusted ({untrusted[1]}); SSL_CERT_FILE names the trusted ones"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _answer(response: httpx.Response, value: Any, retry_after_s: float | None) -> Answer:
    status, age_s = response.status_code, _age_s(response.headers)
    if status < 400:
        return Answer(status, retry_after_s=retry_after_s, age_s=age_s)
    message, is_error = parse_message(value), is_api_error(value, status)
    return Answer(status, message=message, retry_after_s=retry_after_s, is_api_error=is_error, age_s=age_s)


def _age_s(headers: httpx.Headers) -> float:
    """Return the seconds for which a cache has kept an answer (RFC 9111), the most of several.

    Infinite for an age that is no number, and for what a cache says to be its own without an age (RFC 9211, and the
    names in use before it).
    """
    if ages := headers.get_list("Age", split_commas=True):
        return max(math.inf if (age_s := parse_seconds(age)) is None else age_s for age in ages)
    told = " ".join(headers.get(name, "") for name in _CACHE_HEADERS).lower()
    return math.inf if any(word in told for word in _FROM_A_CACHE) else 0.0


def cancel_body(target: Target, request: Request) -> dict[str, str | bool]:
    """Return the body: only documented fields, and only those that are set."""
    body: dict[str, str | bool] = {}
    if request.reason:
        body["reason"] = request.reason
    if target.attendee_id:
        body["attendeeId"] = target.attendee_id
    if request.cancel_all:
        body["cancelAll"] = True
    if target.entire_series:
        body["cancelEntireSeries"] = True
    return body


def line_factory(settings: ApiSettings) -> Callable[[], HttpLine]:
    """Return a maker of lines that share one TLS context, which is expensive to make."""
    make_transport = transport_factory(settings.base_url, tls_context())
    return lambda: HttpLine(settings, make_transport())


async def _read_capped(response: httpx.Response) -> bytes:
    """Read the raw body. It is not decoded: `identity` was asked for, and a small body may decode to a huge one."""
    if isinstance(response.stream, httpx.ByteStream):  # in memory already
        body = bytearray().join(response.stream)
    else:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > LONGEST_BODY:
                break
    if len(body) > LONGEST_BODY:
        raise _TooLongError
    return bytes(body)
