"""Which httpx transport carries the requests: a `Wire`, or httpx's own where a proxy is in between."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from urllib.request import getproxies, proxy_bypass

from bulk_cancel.api.http import httpx
from bulk_cancel.api.wire import Wire

#: An answer is read up to here; the rest of a longer one proves nothing any more.
LONGEST_BODY = 1024 * 1024
#: Below the 5 s after which common servers close an idle connection: a request must not meet a closing one.
KEEPALIVE_S = 3.0


def transport_factory(url: str, tls: ssl.SSLContext) -> Callable[[], httpx.AsyncBaseTransport]:
    """Return a maker of transports to `url`: wires, or httpx's own where the environment wants a proxy in between."""
    proxy = proxy_for(httpx.URL(url))
    return partial(over_httpx, tls, proxy) if proxy else partial(over_wire, tls)


def over_wire(tls: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """Return a transport of our own, for asyncio."""
    return Wire(tls, keepalive_s=KEEPALIVE_S, longest_body=LONGEST_BODY)


def over_httpx(tls: ssl.SSLContext, proxy: str | None = None) -> httpx.AsyncBaseTransport:
    """Return httpx's own transport, with a new connection for each request.

    On a kept one the library would take what a server sent too much for the answer to the next request. A stray 429
    would then read as "not processed", and a cancel that took effect would be sent again.
    """
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
    return _OneConnection(verify=tls, limits=limits, proxy=proxy)


class _OneConnection(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Put the target into the URL: a proxy for plain HTTP is told whole URLs, which httpx makes from it alone."""
        if target := request.extensions.pop("target", None):
            request.url = request.url.copy_with(raw_path=target)
        return await super().handle_async_request(request)


def proxy_for(url: httpx.URL) -> str | None:
    """Return the proxy that HTTPS_PROXY, ALL_PROXY and the like name for `url`, unless NO_PROXY excepts its host."""
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.netloc.decode("ascii")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
