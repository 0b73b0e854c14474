"""Serving a sandbox on 127.0.0.1: from a background thread (`running`) or in the foreground (`serve`)."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bulk_cancel.sandbox.app import make_app
from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.faulty_answers import Wires
from bulk_cancel.sandbox.instance import Sandbox
from bulk_cancel.sandbox.options import SandboxOptions

__all__ = ["Sandbox", "SandboxOptions", "running", "serve"]

_HOST = "127.0.0.1"
_BACKLOG = 2048
# Longer than a slow client's pause between two requests: an idle connection that the server closes just then would
# be a fault that nobody asked for.
_KEEP_ALIVE_S = 75
_START_LIMIT_S = 10.0


@contextmanager
def running(options: SandboxOptions | None = None, now: Callable[[], float] = time.monotonic) -> Iterator[Sandbox]:
    """A sandbox that answers while the block runs. `now` decides on the limit, late effects and stale reads."""
    sandbox = Sandbox(options or SandboxOptions(), now)
    with _listen(sandbox) as listener:
        server = _Server(sandbox, Wires())
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            if not server.ready.wait(_START_LIMIT_S):
                raise RuntimeError("The sandbox did not start.")
            yield sandbox
        finally:
            server.stop()
            thread.join()


def serve(options: SandboxOptions, tell: Callable[[str], None]) -> None:
    """Serve until interrupted. Prints its address as lines for a shell, and tells at the end what it counted.

    Raises OSError when the port is taken.
    """
    sandbox = Sandbox(options)
    with _listen(sandbox) as listener:
        print(f"# sandbox with {len(sandbox.world.appointments)} appointments at {sandbox.url} (Ctrl-C ends it)")
        print(f"export MEETERGO_API_URL={sandbox.url}\nexport MEETERGO_TOKEN={OWNER_TOKEN}", flush=True)
        with suppress(KeyboardInterrupt):
            _Server(sandbox, Wires(), lambda: tell(sandbox.truth().told)).run([listener])


@contextmanager
def _listen(sandbox: Sandbox) -> Iterator[socket.socket]:
    # The protocol is named because asyncio switches Nagle's algorithm off only on sockets that say they are TCP;
    # with it, each answer would wait 40 ms for the client's acknowledgement of the headers.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, sandbox.options.port))
        listener.listen(_BACKLOG)
        sandbox.url = f"http://{_HOST}:{listener.getsockname()[1]}/v4"
        yield listener


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready and that stops at once."""

    def __init__(self, sandbox: Sandbox, wires: Wires, at_the_end: Callable[[], None] = lambda: None) -> None:
        config = uvicorn.Config(
            make_app(sandbox, wires),
            http=_protocol(wires),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self.ready = threading.Event()
        self._wires, self._at_the_end = wires, at_the_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def stop(self) -> None:
        """Stop from another thread."""
        self.should_exit = True
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """As uvicorn's own, but `stop` need not wait for the next tick."""
        ticks = 0
        while self._stopping is not None and not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._wires.close_all()
        await super().shutdown(sockets)
        self._at_the_end()  # before uvicorn raises the signal that ended it once more


def _protocol(wires: Wires) -> type[H11Protocol]:
    class WiredProtocol(H11Protocol):
        """uvicorn's HTTP/1.1 that notes its connections."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
            super().connection_made(transport)
            if self.client:
                wires.add(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client:
                wires.drop(self.client)
            super().connection_lost(exc)

    return WiredProtocol
