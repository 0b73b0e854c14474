"""Every way in which a server or network may fail, as a script, with what the failure proves about the cancel."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

from bulk_cancel.core.model import Target
from bulk_cancel.core.outcome import Kind
from support.fault_server import (
    Script,
    Wire,
    answering,
    answering_and_closing,
    chunked,
    document,
    response,
)

APPOINTMENT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
TARGET = Target(APPOINTMENT)

CANCELLED = document(APPOINTMENT)
GOOD = response(CANCELLED)
obedient = answering(*[GOOD] * 100)


def first(answer: bytes) -> Script:
    """Answer the first request like this, and well from then on."""
    return answering(answer, *[GOOD] * 5)


@dataclass(frozen=True)
class Fault:
    """What the first connection does, and what the client may conclude."""

    script: Script
    kind: Kind


async def reset_on_accept(wire: Wire) -> None:
    wire.reset()


async def close_on_accept(wire: Wire) -> None:
    pass


async def reset_in_the_request(wire: Wire) -> None:
    await wire.hear_something()
    wire.reset()


async def reset_after_the_request(wire: Wire) -> None:
    await wire.request()
    wire.reset()


async def close_after_the_request(wire: Wire) -> None:
    await wire.request()


async def reset_in_the_body(wire: Wire) -> None:
    await wire.request()
    await wire.send(GOOD[:-5])
    wire.reset()


async def never_answer(wire: Wire) -> None:
    await wire.request()
    await wire.hang()


async def drip_the_header(wire: Wire) -> None:
    await wire.request()
    await wire.drip(GOOD)


async def drip_the_body(wire: Wire) -> None:
    await wire.request()
    await wire.send(GOOD[: -len(CANCELLED)])
    await wire.drip(CANCELLED)


async def drip_informational_answers(wire: Wire) -> None:
    await wire.request()
    for _ in range(100):
        await wire.drip(b"HTTP/1.1 102 Processing\r\n\r\n", 0.01)


async def flood_of_informational_answers(wire: Wire) -> None:
    await wire.request()
    await wire.flood(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000, 2000)


async def endless_header(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    await wire.flood(b"x" * 65536, 4096)


async def endless_body(wire: Wire) -> None:
    await wire.request()
    await wire.send(response(length=None))
    await wire.flood(b" " * 65536, 4096)


async def endless_chunks(wire: Wire) -> None:
    await wire.request()
    await wire.send(chunked(end=b""))
    await wire.flood(b"10000\r\n" + b" " * 65536 + b"\r\n", 4096)


async def endless_trailers(wire: Wire) -> None:
    await wire.request()
    await wire.send(chunked(CANCELLED, end=b"0\r\n"))
    await wire.flood(b"x-more: trailers\r\n" * 3000, 2000)


def _bomb() -> bytes:
    return response(gzip.compress(b" " * 64 * 1024 * 1024), "200 OK", "Content-Encoding: gzip")


def _many_headers() -> bytes:
    return response(CANCELLED, "200 OK", *(f"X-Header-{number}: {number}" for number in range(10_000)))


#: Whether a byte leaves before it is noticed is a matter of microseconds.
ON_ACCEPT: dict[str, Script] = {"reset on accept": reset_on_accept, "FIN on accept": close_on_accept}
NO_ANSWER: dict[str, Script] = {
    "reset in the request": reset_in_the_request,
    "reset after the request": reset_after_the_request,
    "FIN after the request": close_after_the_request,
    "cut header": answering_and_closing(GOOD[:12]),
    "cut body": answering_and_closing(GOOD[:-5]),
    "reset in the body": reset_in_the_body,
    "cut chunk": answering_and_closing(chunked(CANCELLED)[:-10]),
    "no last chunk": answering_and_closing(chunked(CANCELLED, end=b"")),
    "a chunk longer than it says": answering_and_closing(chunked(end=b"5\r\n" + CANCELLED + b"\r\n0\r\n\r\n")),
    "a chunk shorter than it says": answering_and_closing(chunked(end=b"fff\r\n" + CANCELLED + b"\r\n0\r\n\r\n")),
    "a chunk size that is no number": answering_and_closing(chunked(end=b"many\r\n" + CANCELLED)),
    "a length beyond the body, then FIN": answering_and_closing(response(CANCELLED, length=len(CANCELLED) + 1)),
    "a length beyond the body, then silence": answering(response(CANCELLED, length=len(CANCELLED) + 1)),
    "a length that is no number": answering_and_closing(
        response(CANCELLED, "200 OK", "Content-Length: x", length=None)
    ),
    "two lengths": answering_and_closing(response(CANCELLED, "200 OK", "Content-Length: 7")),
    "no answer": never_answer,
    "one byte per 80 ms in the header": drip_the_header,
    "one byte per 80 ms in the body": drip_the_body,
    "informational answers without end, slow": drip_informational_answers,
    "informational answers without end, fast": flood_of_informational_answers,
    "endless header": endless_header,
    "endless body": endless_body,
    "endless chunks": endless_chunks,
    "endless trailers": endless_trailers,
    "ten thousand headers": first(_many_headers()),
    "not HTTP": answering_and_closing(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n"),
    "random bytes": answering_and_closing(bytes(range(256)) * 8),
    "switching protocols": answering_and_closing(response(status="101 Switching Protocols", length=None)),
    "a server error that cancelled": first(response(CANCELLED, "500 Internal Server Error")),
}
NONSENSE: dict[str, Script] = {
    "JSON cut without a length": answering_and_closing(response(CANCELLED[:-3], length=None)),
    "JSON cut by a length that is too short": first(response(CANCELLED, length=10)),
    "HTTP/1.0, cut": answering_and_closing(response(CANCELLED[:-3], length=None, version="1.0")),
    "HTML": first(response(b"<html>Welcome to the hotel</html>", "200 OK", "Content-Type: text/html")),
    "another id": first(response(document(OTHER))),
    "an empty body": first(response()),
    "204": first(response(status="204 No Content", length=None)),
    "gzip though identity was asked": first(response(gzip.compress(CANCELLED), "200 OK", "Content-Encoding: gzip")),
    "a gzip bomb": first(_bomb()),
    "nesting without end": first(response(b"[" * 500_000)),
    "an unknown charset": first(response(b"\xff\xfe\x00", "200 OK", "Content-Type: application/json; charset=x")),
}
NOT_SHOWN: dict[str, Script] = {
    "still active": first(response(document(APPOINTMENT, isCancelled=False))),
    "taken for later": first(response(document(APPOINTMENT, isCancelled=False), "202 Accepted")),
}
CANCELLED_AFTER_ALL: dict[str, Script] = {
    "100 Continue first": first(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD),
    "early hints first": first(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3 + GOOD),
    "chunked": first(chunked(CANCELLED[:7], CANCELLED[7:])),
    "HTTP/1.0": answering_and_closing(response(CANCELLED, version="1.0")),
    "HTTP/1.0 without a length": answering_and_closing(response(CANCELLED, length=None, version="1.0")),
    "201": first(response(CANCELLED, "201 Created")),
}

#: Faults after the connection stands. Bytes leave in each of them, so none may count as "not sent".
FAULTS: dict[str, Fault] = (
    {name: Fault(script, Kind.NO_ANSWER) for name, script in NO_ANSWER.items()}
    | {name: Fault(script, Kind.NONSENSE) for name, script in NONSENSE.items()}
    | {name: Fault(script, Kind.NOT_SHOWN) for name, script in NOT_SHOWN.items()}
    | {name: Fault(script, Kind.CANCELLED) for name, script in CANCELLED_AFTER_ALL.items()}
)
