"""A request as the bytes of HTTP/1.1."""

from __future__ import annotations

from typing import Any

from bulk_cancel.api.http import httpx


def serialised(request: httpx.Request) -> bytes:
    """Return a request whose body is in memory as it goes over the wire.

    The extension `target` takes the place of the URL's path, as httpx documents. Raises for a line break in the head.
    """
    lines = [request.method.encode(), b" ", request.extensions.get("target", request.url.raw_path), b" HTTP/1.1\r\n"]
    for name, value in request.headers.raw:
        lines += (name, b": ", value, b"\r\n")
    head = b"".join(lines)
    if not head.count(b"\r") == head.count(b"\n") == len(request.headers.raw) + 1:
        raise httpx.LocalProtocolError("a line break in the target or a header")
    body: Any = request.stream
    return b"".join((head, b"\r\n", *body))
