"""Which httpx transport carries the requests: a `Wire`, or httpx's own where a proxy is in between."""

from __future__ import annotations

import os
import re
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
    for name, is_there in (("SSL_CERT_FILE", Path.is_file), ("SSL_CERT_DIR", Path.is_dir)):
        if (place := os.environ.get(name)) and not is_there(Path(place)):
            raise ConfigError(f"{name} names a path that does not exist: {place}.", advice=_CORRECT_IT)


def tls_context() -> ssl.SSLContext:
    """Return a TLS context with the certificates of SSL_CERT_FILE, else SSL_CERT_DIR, else certifi. ConfigError."""
    name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
    place = os.environ.get(name, "")
    why = "no file in it has a name as `openssl rehash` gives it"
    try:
        if name == "SSL_CERT_FILE" or not place or any(map(_is_a_certificate, Path(place).iterdir())):
            return httpx.create_ssl_context()
    except OSError as error:  # errors of TLS are OSErrors, too
        why = error.strerror or str(error)
    raise ConfigError(f"The certificates that {name} names cannot be read: {place} ({why}).", advice=_CORRECT_IT)


def _is_a_certificate(file: Path) -> bool:
    """Return whether OpenSSL finds this file in a folder: by the hash of its subject as its name."""
    return bool(re.fullmatch(r"[0-9a-f]{8}\.\d+", file.name))


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
