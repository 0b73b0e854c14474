"""Which httpx transport carries the requests: a `Wire`, or httpx's own where a proxy is in between."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bulk_cancel.api.http import httpx
from bulk_cancel.api.proxies import proxy_for, proxy_name
from bulk_cancel.api.wire import Wire
from bulk_cancel.errors import ConfigError

#: Bytes of a body that are read; a longer answer proves nothing.
LONGEST_BODY = 1024 * 1024
#: Seconds for which an idle connection is used again. Common servers close it after 5 s.
KEEPALIVE_S = 3.0
_CORRECT_IT = "Nothing was sent. Correct it, or unset it."


def refuse_unfit_way(url: str) -> None:
    """Raise ConfigError for a proxy or certificates of the environment that cannot be used, before a run begins."""
    proxy_for(httpx.URL(url))
    name, place = _certificates()
    if place and not (place.is_dir() if name == "SSL_CERT_DIR" else place.is_file()):
        raise ConfigError(f"{name} names a path that does not exist: {place}.", advice=_CORRECT_IT)


def tls_context() -> ssl.SSLContext:
    """Return a TLS context with the certificates of SSL_CERT_FILE, SSL_CERT_DIR, or certifi. Raises ConfigError."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # errors of TLS are OSErrors, too
        name, place = _certificates()
        raise ConfigError(
            f"The certificates that {name} names cannot be read: {place} ({error.strerror or error}).",
            advice=_CORRECT_IT,
        ) from error


def _certificates() -> tuple[str, Path | None]:
    """Return the variable that httpx uses, and the path that it names."""
    name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
    return name, Path(os.environ[name]) if os.environ.get(name) else None


def transport_factory(url: str, tls: ssl.SSLContext) -> Callable[[], httpx.AsyncBaseTransport]:
    """Return a maker of transports to `url`: a `Wire`, or httpx's own where the environment names a proxy.

    Raises ConfigError for a proxy that cannot be used.
    """
    proxy = proxy_for(httpx.URL(url))
    return partial(over_httpx, tls, proxy) if proxy else partial(over_wire, tls)


def over_wire(tls: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """Return our own transport, for asyncio."""
    return Wire(tls, keepalive_s=KEEPALIVE_S, longest_body=LONGEST_BODY)


def over_httpx(tls: ssl.SSLContext, proxy: str | None = None) -> httpx.AsyncBaseTransport:
    """Return httpx's own transport, with a new connection for each request.

    On a kept connection httpx would take surplus bytes for the answer to the next request. A stray 429 would then mean
    "not processed", and a cancel that took effect would be sent again.
    """
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
    transport = _OneConnection(verify=tls, limits=limits, proxy=proxy)
    transport.proxy_name = proxy_name(proxy) if proxy else ""
    return transport


class _OneConnection(httpx.AsyncHTTPTransport):
    proxy_name: str  #: for people; empty without a proxy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Put the target into the URL, from which httpx makes the whole URLs that a proxy for plain HTTP needs."""
        if target := request.extensions.pop("target", None):
            request.url = request.url.copy_with(raw_path=target)
        return await super().handle_async_request(request)
