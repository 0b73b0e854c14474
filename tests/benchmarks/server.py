"""The server that benchmarks measure against: as little as answers a cancel, faster than any client here.

It answers POST /v4/appointment/<id>/cancel and GET /v4/appointment/<id> with an appointment of 3 KB, cancelled after a
POST, and GET /v4/appointment/paginated with an empty list. With a limit it counts in GCRA like the API's bucket, and
answers 429. `GET /stats` tells what came, `DELETE /stats` begins anew; the connections for these two are not counted.
It runs as a process of its own: `serving`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CANCEL = re.compile(rb"POST /v4/appointment/([0-9a-f-]{36})/cancel ")
_READ = re.compile(rb"GET /v4/appointment/([0-9a-f-]{36}) ")
_LIST = b"GET /v4/appointment/paginated"
_PAD = "x" * 2300


def _document(cancelled: bool) -> tuple[bytes, bytes]:
    """Return an appointment in two halves; its id belongs between them."""
    body = {
        "id": "\0",
        "isCancelled": cancelled,
        "cancel": {"actionAt": "2026-11-20T09:00:00.000Z", "actionSource": "host"} if cancelled else None,
        "start": "2026-12-01T09:00:00.000Z",
        "end": "2026-12-01T09:30:00.000Z",
        "attendees": [{"id": f"00000000-0000-4000-8000-{n:012}", "name": f"Guest {n}"} for n in range(4)],
        "attendeeIds": [f"00000000-0000-4000-8000-{n:012}" for n in range(4)],
        "hostIds": ["00000000-0000-4000-8000-00000000000a"],
        "meetingTypeId": "00000000-0000-4000-8000-00000000000b",
        "meetingInfo": {"name": "Consultation", "channel": "phone", "groupBooking": False, "duration": 30},
        "notes": _PAD,
        "resolvableErrors": [],
    }
    before, after = json.dumps(body).split('"\\u0000"')
    return f'{before}"'.encode(), f'"{after}'.encode()


def _answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Halves:
    """An answer whose id is put in at the last moment."""

    def __init__(self, cancelled: bool) -> None:
        before, after = _document(cancelled)
        head, _, _ = _answer("200 OK", before + b"-" * 36 + after).partition(b"\r\n\r\n")
        self.before, self.after = head + b"\r\n\r\n" + before, after


_CANCELLED, _ACTIVE = _Halves(True), _Halves(False)
_EMPTY = _answer("200 OK", b'{"appointments": [], "total": 0}')
_THROTTLED = _answer("429 Too Many Requests", b'{"statusCode":429,"message":"Too Many Requests"}')
_NOT_FOUND = _answer("404 Not Found", b'{"statusCode":404,"message":"Not found"}')


@dataclass
class Stats:
    """What came. Times are of the monotonic clock, which all processes of a machine share."""

    connections: int = 0
    cancels: int = 0
    reads: int = 0
    throttled: int = 0
    first_request: float = 0.0
    last_request: float = 0.0  #: not those that were throttled
    first_cancel: float = 0.0
    last_cancel: float = 0.0


@dataclass
class _State:
    rate: float
    burst: int
    latency_s: float
    tat: float = 0.0
    stats: Stats = field(default_factory=Stats)

    def allows(self, now: float) -> bool:
        if not self.rate:
            return True
        if self.tat - (self.burst - 1) / self.rate > now + 1e-9:
            self.stats.throttled += 1
            return False
        self.tat = max(self.tat, now) + 1 / self.rate
        return True

    def answer(self, request: bytes) -> bytes:
        if request.startswith((b"GET /stats", b"DELETE /stats")):
            seen = self.stats
            seen.connections -= 1
            if request.startswith(b"DELETE"):
                self.stats, self.tat = Stats(), 0.0
            return _answer("200 OK", json.dumps(asdict(seen)).encode())
        now = time.monotonic()
        self.stats.first_request = self.stats.first_request or now
        if not self.allows(now):
            return _THROTTLED
        self.stats.last_request = now
        if cancel := _CANCEL.match(request):
            self.stats.first_cancel, self.stats.last_cancel = self.stats.first_cancel or now, now
            self.stats.cancels += 1
            return _CANCELLED.before + cancel[1] + _CANCELLED.after
        self.stats.reads += 1
        if read := _READ.match(request):
            return _ACTIVE.before + read[1] + _ACTIVE.after
        return _EMPTY if request.startswith(_LIST) else _NOT_FOUND


class _Wire(asyncio.Protocol):
    def __init__(self, state: _State) -> None:
        self._state, self._heard = state, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._state.stats.connections += 1

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while (end := self._heard.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._heard, 0, end)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self._heard) < total:
                return
            request, self._heard = self._heard[:total], self._heard[total:]
            self._reply(self._state.answer(request))

    def _reply(self, answer: bytes) -> None:
        if self._state.latency_s:
            asyncio.get_running_loop().call_later(self._state.latency_s, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def _serve(state: _State) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Wire(state), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the benchmark is gone


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    origin: str

    @property
    def url(self) -> str:
        """The API's base URL."""
        return f"{self.origin}/v4"

    def stats(self, *, reset: bool = False) -> Stats:
        """Return what came since the start or the last reset."""
        request = urllib.request.Request(f"{self.origin}/stats", method="DELETE" if reset else "GET")
        with urllib.request.urlopen(request) as answer:
            return Stats(**json.load(answer))


@contextmanager
def serving(rate: float = 0.0, burst: int = 1, latency_s: float = 0.0, core: int | None = 1) -> Iterator[Server]:
    """Serve from a process of its own while the block runs, on another core than the measured one."""
    numbers = [f"--rate={rate}", f"--burst={burst}", f"--latency={latency_s}", f"--core={-1 if core is None else core}"]
    command = [sys.executable, __file__, *numbers]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


def main() -> None:
    """Serve until standard input ends. Prints the port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: no limit")
    parser.add_argument("--burst", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--core", type=int, default=-1)
    options = parser.parse_args()
    if options.core >= 0 and options.core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {options.core})
    asyncio.run(_serve(_State(options.rate, options.burst, options.latency)))


if __name__ == "__main__":
    main()
