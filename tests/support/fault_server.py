"""A TCP server on 127.0.0.1 that misbehaves as its script says, and remembers every byte that it was sent.

An ASGI server cannot reset, cut, lie or drip. Here one script drives each connection: the first connection follows the
first script, the second the second; all later ones follow the last.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Wire:
    """One accepted connection, as its script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: FaultServer) -> None:
        self._reader, self._writer, self._server = reader, writer, server
        self._heard = bytearray()
        self._parsed = 0
        server.connections.append(self._heard)

    async def request(self) -> bytes:
        """Read one whole request, headers and body."""
        while (end := self._heard.find(_HEAD_END, self._parsed)) < 0:
            await self._hear()
        length = _LENGTH.search(self._heard, self._parsed, end)
        end += len(_HEAD_END) + (int(length[1]) if length else 0)
        while len(self._heard) < end:
            await self._hear()
        request = bytes(self._heard[self._parsed : end])
        self._parsed = end
        self._server.requests.append(request)
        return request

    async def hear_something(self) -> None:
        """Read until at least one byte of a request has come, and no further."""
        await self._hear()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def drip(self, data: bytes, every_s: float = 0.08) -> None:
        """Send one byte at a time, so that no single read ever waits for long."""
        for index in range(len(data)):
            await self.send(data[index : index + 1])
            await asyncio.sleep(every_s)

    async def flood(self, chunk: bytes, times: int) -> None:
        """Send the same again and again, until the client has gone; `times` bounds it."""
        for _ in range(times):
            await self.send(chunk)
            self._server.flooded += len(chunk)

    async def hang(self) -> None:
        """Say nothing more, and stay until the client goes or the server closes."""
        while True:
            await self._hear()

    async def stall(self) -> None:
        """Neither read nor say anything, until the server closes."""
        await asyncio.Event().wait()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    async def _hear(self) -> None:
        data = await self._reader.read(65536)
        if not data:
            raise ConnectionError("the client has gone")
        self._heard += data


Script = Callable[[Wire], Awaitable[None]]


@dataclass
class FaultServer:
    """What was received, over all connections."""

    url: str = ""
    connections: list[bytearray] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)  #: the complete ones
    flooded: int = 0  #: bytes sent by `Wire.flood`
    closed: asyncio.Event = field(default_factory=asyncio.Event)  #: a connection was closed by its script

    @property
    def bytes_heard(self) -> int:
        return sum(map(len, self.connections))


@asynccontextmanager
async def serving(
    *scripts: Script, tls: ssl.SSLContext | None = None, at: socket.socket | None = None
) -> AsyncIterator[FaultServer]:
    """Serve the scripts on a free port, or on the socket `at`; nothing of it outlives the block."""
    faults, handlers, accepted = FaultServer(), set[asyncio.Task[None]](), iter(range(10_000))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        script = scripts[min(next(accepted), len(scripts) - 1)]
        try:
            await script(Wire(reader, writer, faults))
        except (OSError, asyncio.CancelledError):  # asyncio's streams log a handler that was cancelled as an error
            pass
        finally:
            handlers.discard(task)
            writer.close()
            faults.closed.set()

    if at is None:
        at = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(handle, sock=at, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    faults.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v4"
    try:
        yield faults
    finally:
        server.close()
        for task in (running := list(handlers)):
            task.cancel()
        await asyncio.gather(*running)
        await asyncio.sleep(0)


@contextmanager
def closed_port() -> Iterator[tuple[str, socket.socket]]:
    """The URL of a port at which nobody listens and which nobody else can take, with the socket that holds it."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v4", taken


@contextmanager
def blackhole() -> Iterator[str]:
    """The URL of a port whose queue of connections is full: Linux drops further SYNs without a word."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for visitor in crowd:
            visitor.setblocking(False)
            visitor.connect_ex(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v4"
        finally:
            for visitor in crowd:
                visitor.close()


def document(appointment_id: str, **fields: object) -> bytes:
    """An appointment as the API answers with it: cancelled, unless the fields say otherwise."""
    return json.dumps({"id": appointment_id, "isCancelled": True, **fields}).encode()


def response(
    body: bytes = b"", status: str = "200 OK", *headers: str, length: int | None = -1, version: str = "1.1"
) -> bytes:
    """An answer as bytes. `length` lies about the body's; None leaves it out."""
    lines = [f"HTTP/{version} {status}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A chunked answer."""
    head = response(b"", "200 OK", "Transfer-Encoding: chunked", length=None)
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def answering(*answers: bytes) -> Script:
    """Answer the requests of a connection one after the other, then leave it open."""

    async def script(wire: Wire) -> None:
        for answer in answers:
            await wire.request()
            await wire.send(answer)
        await wire.hang()

    return script


def answering_and_closing(answer: bytes) -> Script:
    """Answer one request, whole or cut, and close with FIN."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(answer)

    return script


async def tunnelling(wire: Wire) -> None:
    """Do what a proxy does for CONNECT: open a connection, and pass on what comes from either side."""
    head = await wire.request()
    host, _, port = head.split()[1].decode().partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    ways = [_pass_on(wire._reader, writer), _pass_on(reader, wire._writer)]
    await asyncio.gather(*ways)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(65536):
            writer.write(block)
    finally:
        writer.close()
