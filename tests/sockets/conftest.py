"""Lines to a server of one's choice, with a short deadline, and closed at the end of the block."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from bulk_cancel.api.client import HttpLine
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.api.transports import over_httpx, over_wire
from bulk_cancel.core.credential import Credential

TOKEN = "rgo-canary-7f3a"
DEADLINE_S = 0.3
LineTo = Callable[..., AbstractAsyncContextManager[HttpLine]]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@pytest.fixture(params=[over_wire, over_httpx])
def carrier(request: pytest.FixtureRequest) -> Callable[[ssl.SSLContext], httpx.AsyncBaseTransport]:
    """Every edge is tried with our own transport and with httpx's, which a proxy makes necessary."""
    maker: Callable[[ssl.SSLContext], httpx.AsyncBaseTransport] = request.param
    return maker


@pytest.fixture
def line_to(tls: ssl.SSLContext, carrier: Callable[[ssl.SSLContext], httpx.AsyncBaseTransport]) -> LineTo:
    @asynccontextmanager
    async def connect(
        url: str,
        *,
        timeout_s: float = DEADLINE_S,
        user_id: str | None = None,
        trust: ssl.SSLContext = tls,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> AsyncIterator[HttpLine]:
        settings = ApiSettings(url, Credential(TOKEN), user_id, timeout_s)
        line = HttpLine(settings, transport or carrier(trust))
        try:
            yield line
        finally:
            await line.aclose()

    return connect
