"""One kept connection without a pool: an httpx transport made of an asyncio protocol and the parser httptools.

It costs a tenth of the CPU of httpx's own. "No byte left" is certain: `send_request_headers.started` is announced
(httpcore's documented trace) when the connection and its TLS handshake stand, just before the only write, and only
while nothing has come unasked. A connection is not used again after an error, a surplus byte, an answer that ends it,
a request given up or a long pause.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from functools import partial
from typing import Any, cast

import httptools

from bulk_cancel.api.failures import TooEarlyError
from bulk_cancel.api.http import httpx

_TURNS = 20  #: of the event loop, in which received bytes are read
LONGEST_HEAD = 128 * 1024  #: most bytes of headers and chunk sizes; common servers allow 64 KiB


class _Connection(asyncio.Protocol):
    """Writes one request at a time and collects its answer."""

    def __init__(self, longest_body: int) -> None:
        self._longest_body = longest_body
        self._answer: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        self._answer.cancel()  # no request is open
        self._idle_since = time.monotonic()
        self.usable = True  #: for one more request

    def is_fresh(self, keepalive_s: float) -> bool:
        """Whether one more request may be sent: nothing has come since the last answer, not even unread."""
        if not self.usable or self._transport.is_closing() or time.monotonic() - self._idle_since >= keepalive_s:
            return False
        return not is_readable(self._transport.get_extra_info("socket"))

    async def is_silent(self) -> bool:
        """Whether the server sent nothing on a new connection: such bytes would be taken for the first answer.

        Bytes that were received already are read first: with TLS they may be the server's session ticket.
        """
        for _ in range(_TURNS):
            if not self.usable or not is_readable(self._transport.get_extra_info("socket")):
                return self.usable
            await asyncio.sleep(0)
        return False

    def ask(self, request: bytes) -> asyncio.Future[httpx.Response]:
        """Write a request; return the future of its answer or error."""
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._length = self._head_length = 0
        self._head_ended = self._ends_with_connection = False
        self._whole: httpx.Response | None = None
        self._transport.write(request)
        return self._answer

    def drop(self, error: Exception | None = None) -> None:
        """Close at once. A request that waits for its answer gets the error."""
        self.usable = False
        self._transport.abort()
        if error is not None and not self._answer.done():
            self._answer.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer.done():
            self.drop()  # bytes that belong to no request: the next answer could not be told from them
            return
        self._length += len(data)
        try:
            self._parser.feed_data(data)
            self._give()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._doubt(httpx.RemoteProtocolError(f"no HTTP answer: {error}"))
        if self._length > LONGEST_HEAD + self._longest_body:
            self.drop(httpx.RemoteProtocolError(f"an endless answer: {self._length} bytes so far"))

    def _doubt(self, error: Exception) -> None:
        """Which of two is the answer cannot be told: a success is judged by its document, a refusal is not believed."""
        self.drop(None if self._whole is not None and self._whole.is_success else error)
        self._give()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if exc is None and not self._answer.done() and self._head_ended and self._ends_with_connection:
            self.on_message_complete()
            self._give()
        self.drop(httpx.ReadError(f"the connection was lost before the answer was whole: {exc or 'closed'}"))

    def on_message_begin(self) -> None:
        if self._whole is not None:
            self._doubt(httpx.RemoteProtocolError("two answers to one request"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_length += len(name) + len(value)
        if self._head_length > LONGEST_HEAD:
            raise ValueError("the headers are too long")
        if not self._head_ended:  # trailers are ignored
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # an interim answer: the real one follows
            self._headers.clear()
            return
        self._head_ended = True
        self._ends_with_connection = dict(self._headers).keys().isdisjoint((b"content-length", b"transfer-encoding"))
        self.usable = self.usable and self._parser.should_keep_alive() and not self._ends_with_connection

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self._head_ended and self._whole is None:
            body = httpx.ByteStream(b"".join(self._body))
            self._whole = httpx.Response(self._parser.get_status_code(), headers=self._headers, stream=body)

    def _give(self) -> None:
        """Give the answer to who waits for it, when all that came with it was looked at."""
        if self._whole is not None and not self._answer.done():
            self._idle_since = time.monotonic()
            self._answer.set_result(self._whole)


class Wire(httpx.AsyncBaseTransport):
    """A transport for one request at a time whose body is in memory. On asyncio only."""

    def __init__(self, tls: ssl.SSLContext, *, keepalive_s: float, longest_body: int) -> None:
        self._tls, self._keepalive_s, self._longest_body = tls, keepalive_s, longest_body
        self._kept: _Connection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its whole answer. Raises httpx's exceptions for all errors of the network."""
        written, announce = serialised(request), request.extensions["trace"]
        await announce("connection.acquire.started", {})
        kept, self._kept = self._kept, None
        if kept is not None and not kept.is_fresh(self._keepalive_s):
            kept.drop()
            kept = None
        connection = kept or await self._connect(request.url)
        try:
            if kept is None and not await connection.is_silent():
                raise TooEarlyError("the server spoke before it was asked")
            await announce("http11.send_request_headers.started", {})
            answer = connection.ask(written)
            await announce("http11.send_request_body.complete", {})
            response = await answer
        except BaseException:
            connection.drop()
            raise
        self._kept = connection  # the next request checks whether it can be used again
        return response

    async def _connect(self, url: httpx.URL) -> _Connection:
        loop, tls = asyncio.get_running_loop(), self._tls if url.scheme == "https" else None
        host, port = url.raw_host.decode("ascii"), url.port or (443 if tls else 80)
        make = partial(_Connection, self._longest_body)
        try:
            _, connection = await loop.create_connection(make, host, port, ssl=tls, happy_eyeballs_delay=0.25)
        except OSError as error:  # errors of TLS are OSErrors, too
            raise httpx.ConnectError(str(error) or type(error).__name__) from error
        return connection

    async def aclose(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.drop()


def is_readable(sock: Any) -> bool:
    """Return whether a socket has unread bytes, or was closed by the other side."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def serialised(request: httpx.Request) -> bytes:
    """Return the bytes of a request whose body is in memory.

    The extension `target` replaces the URL's path, as httpx documents. Raises LocalProtocolError for a line break.
    """
    lines = [request.method.encode(), b" ", request.extensions.get("target", request.url.raw_path), b" HTTP/1.1\r\n"]
    for name, value in request.headers.raw:
        lines += (name, b": ", value, b"\r\n")
    head = b"".join(lines)
    if not head.count(b"\r") == head.count(b"\n") == len(request.headers.raw) + 1:
        raise httpx.LocalProtocolError("a line break in the target or a header")
    body: Any = request.stream
    return b"".join((head, b"\r\n", *body))
