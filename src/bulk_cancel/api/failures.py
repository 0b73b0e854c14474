"""Decides of a failure whether it proves that no byte of the request left, or the request may have been sent.

The class of an exception proves little: a `ReadError` occurs with and without an effect on the server. The proof is the
transport's trace: the default transport announces each step, and the first byte of a request leaves after
`send_request_headers.started`, never before (measured by tests/sockets/test_bytes_left.py). Without a trace, only those
classes count as proof that cannot occur after a byte has left.
`ConnectTimeout` is not among them although its name says so: httpx-aiohttp 0.2 raises it when the server closes the
connection after it has read the request (measured).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bulk_cancel.api.http import httpx
from bulk_cancel.api.port import at_once
from bulk_cancel.core.clock import SEND_WITHIN_S
from bulk_cancel.ops.uptime import uptime

#: Raised while a connection is waited for or refused: before the first byte of a request.
NEVER_SENT: frozenset[type[Exception]] = frozenset(
    {httpx.ConnectError, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL}
)
#: What an exchange may raise. Anything else is a bug of ours and is not swallowed.
EXCHANGE_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, OSError)


class TooLateError(httpx.TimeoutException):
    """The connection was established too late to send the request."""


class TooEarlyError(httpx.RemoteProtocolError):
    """The server sent bytes before the request: they could be mistaken for its answer."""


class Trace:
    """Traces one request. Prevents its first byte after `SEND_WITHIN_S`, and when `may_leave` is false by then."""

    def __init__(self, may_leave: Callable[[], bool] = at_once) -> None:
        self._send_by, self._may_leave = uptime() + SEND_WITHIN_S, may_leave
        self.spoke = False
        self.began_to_send = False
        self._connected: Any = None
        self._shaking_hands = self._is_encrypted = False

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        """Note the transport's announcement, such as `http11.send_request_headers.started`."""
        self.spoke = True
        if getattr(info.get("request"), "method", None) == b"CONNECT":
            return  # a proxy gets this one, with nothing but the host's name
        if event.endswith(".send_request_headers.started"):
            if uptime() > self._send_by or not self._may_leave():
                raise TooLateError("the connection stood too late")
            if self._hears_something():
                raise TooEarlyError("the server spoke before it was asked")
            self.began_to_send = True
        elif event.endswith(".connect_tcp.complete"):
            self._connected = info.get("return_value")
        elif ".start_tls." in event:
            self._shaking_hands, self._is_encrypted = not event.endswith(".complete"), True

    def _hears_something(self) -> bool:
        """Whether bytes came on httpx's connection before the request. (With TLS they may be a session ticket.)"""
        if self._connected is None or self._is_encrypted:
            return False
        return bool(self._connected.get_extra_info("is_readable"))

    def bytes_left(self, error: BaseException) -> bool:
        """Return whether a byte may have left before this failure: True unless the opposite is proven."""
        if self.spoke:
            return self.began_to_send
        return type(error) not in NEVER_SENT

    async def release(self) -> None:
        """Close a connection that was abandoned during its TLS handshake, which httpx would leave open."""
        if self._shaking_hands and self._connected is not None:
            await self._connected.aclose()
