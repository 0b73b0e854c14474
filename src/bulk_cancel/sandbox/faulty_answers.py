"""Wrong answers. Those that need the connection get it from `Wires`, since ASGI hides it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bulk_cancel.sandbox.faults import HANG_LIMIT_S, Fault, Shape
from bulk_cancel.sandbox.handlers import Plain
from bulk_cancel.sandbox.people import made_id
from bulk_cancel.sandbox.refusal import error_document, phrase_of

_GATEWAY_STATUSES = {502, 503, 504}
_JSON = {"content-type": "application/json"}
# A closed socket with a linger of zero seconds sends RST instead of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)

Peer = tuple[str, int]


class Wires:
    """The open connections by the client's address."""

    def __init__(self) -> None:
        self._transports: dict[Peer, asyncio.Transport] = {}

    def add(self, peer: Peer, transport: asyncio.Transport) -> None:
        """Note a new connection."""
        self._transports[peer] = transport

    def drop(self, peer: Peer) -> None:
        """Forget a connection that is gone."""
        self._transports.pop(peer, None)

    def close(self, scope: Scope, *, reset: bool = False) -> None:
        """Close the connection of a request after what was written so far, or reset it at once."""
        transport = self._transports.get(tuple(scope["client"]))
        if transport is None:
            return
        if not reset:
            transport.close()
            return
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()

    def close_all(self) -> None:
        """Drop every connection, so that a stopping server does not wait."""
        for transport in list(self._transports.values()):
            transport.abort()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a faulty answer may need: the connections, where a redirect leads, what a 429 says."""

    wires: Wires
    trap_url: str
    retry_after: str | None = None


def plain_response(plain: Plain) -> Response:
    """Return the plain answer."""
    return JSONResponse(plain.document, plain.status)


def too_many_requests(retry_after: str | None) -> Response:
    """The 429 of the API."""
    headers = {"Retry-After": retry_after} if retry_after is not None else None
    return JSONResponse(error_document(429), 429, headers)


def faulty_response(fault: Fault, plain: Plain, scene: Scene) -> Response:
    """Return the wrong answer that replaces the plain one."""
    match fault.shape:
        case Shape.LOST | Shape.RESET:
            return _Gone(scene.wires, reset=fault.shape is Shape.RESET)
        case Shape.CUT:
            return _Cut(plain, scene.wires)
        case Shape.HANG:
            return _Hang(scene.wires, min(fault.duration_s, HANG_LIMIT_S))
        case Shape.DRIP:
            return _Drip(plain, fault.duration_s)
        case Shape.OTHER_ID | Shape.NOT_CANCELLED | Shape.SILENT:
            return plain_response(_misleading(fault.shape, plain))
        case _:
            return _finished(fault, plain, scene)


def _finished(fault: Fault, plain: Plain, scene: Scene) -> Response:
    """The faults that HTTP itself can express."""
    match fault.shape:
        case Shape.STATUS:
            return _error(fault.status, scene)
        case Shape.PAGE:
            return _page(fault.status, phrase_of(fault.status))
        case Shape.HTML:
            return _page(200, "Sign in to the network")
        case Shape.REDIRECT:
            return Response(status_code=307, headers={"location": scene.trap_url})
        case Shape.NO_CONTENT:
            return Response(status_code=204)
        case Shape.EMPTY:
            return Response(b"", 200, _JSON)
        case Shape.TRUNCATED:
            body = _encode(plain)
            return Response(body[: len(body) // 2], plain.status, _JSON)
        case _:
            return plain_response(plain)


def _error(status: int, scene: Scene) -> Response:
    if status == 429:
        return too_many_requests(scene.retry_after)
    if status in _GATEWAY_STATUSES:
        return _page(status, phrase_of(status))
    return JSONResponse(error_document(status), status)


def _page(status: int, title: str) -> Response:
    return Response(f"<!doctype html><title>{title}</title><h1>{title}</h1>", status, media_type="text/html")


def _misleading(shape: Shape, plain: Plain) -> Plain:
    if plain.status >= 400 or not isinstance(plain.document, dict) or "isCancelled" not in plain.document:
        return plain
    if shape is Shape.OTHER_ID:
        return Plain(plain.status, plain.document | {"id": made_id("another appointment"), "isCancelled": True})
    if shape is Shape.SILENT:
        kept = {key: value for key, value in plain.document.items() if key not in ("isCancelled", "cancel")}
        return Plain(plain.status, kept)
    return Plain(plain.status, plain.document | {"isCancelled": False, "cancel": None})


def _encode(plain: Plain) -> bytes:
    return json.dumps(plain.document, separators=(",", ":")).encode()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Gone(Response):
    """Send no byte; return when the connection is closed, or uvicorn would answer 500 instead."""

    def __init__(self, wires: Wires, *, reset: bool) -> None:
        super().__init__()
        self._wires, self._reset = wires, reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._wires.close(scope, reset=self._reset)
        await _until_gone(receive)


class _Hang(Response):
    """Silence until the client gives up, with an upper bound."""

    def __init__(self, wires: Wires, limit_s: float) -> None:
        super().__init__()
        self._wires, self._limit_s = wires, limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_until_gone(receive))
        await asyncio.wait({gone}, timeout=self._limit_s)
        self._wires.close(scope)
        await gone


class _Cut(Response):
    """Send headers that announce the whole body, half of it, and close the connection."""

    def __init__(self, plain: Plain, wires: Wires) -> None:
        super().__init__(_encode(plain), plain.status, _JSON)
        self._wires = wires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        self._wires.close(scope)
        await _until_gone(receive)


class _Drip(Response):
    """Send the whole answer, one byte at a time, until the client is gone."""

    def __init__(self, plain: Plain, pause_s: float) -> None:
        super().__init__(_encode(plain), plain.status, _JSON)
        self._pause_s = pause_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_until_gone(receive))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for byte in bytes(self.body):
            await send(_part(bytes([byte]), more=True))
            await asyncio.wait({gone}, timeout=self._pause_s)
            if gone.done():
                return
        await send(_part(b"", more=False))
        await gone


def _part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
