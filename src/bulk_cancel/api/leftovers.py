"""Closes a kept connection on which a server has sent more than its answer.

The HTTP library would take the surplus for the answer to the next request on that connection. A stray 429 would then
read as "not processed", and a cancel that took effect would be sent again. The library tells of the surplus nowhere,
hence the private names; tests/edges/test_reuse.py measures on sockets that they still mean this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulk_cancel.api.http import httpx


async def close_surplus(transport: httpx.AsyncBaseTransport) -> None:
    """Close the connections that hold bytes which belong to no request."""
    for connection in list(_connections(transport)):
        if _surplus(connection):
            await connection.aclose()


def _connections(transport: httpx.AsyncBaseTransport) -> Iterator[Any]:
    pool = getattr(transport, "_pool", None)
    yield from pool.connections if pool is not None else ()


def _surplus(connection: Any) -> bytes:
    """Look below the wrappers (a tunnel, a lazy connection) for the state of HTTP/1.1."""
    while connection is not None and not hasattr(connection, "_h11_state"):
        connection = getattr(connection, "_connection", None)
    return bytes(connection._h11_state.trailing_data[0]) if connection is not None else b""
