"""Finds the proxy for the API in the environment."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.request import getproxies, proxy_bypass

from bulk_cancel.api.http import httpx
from bulk_cancel.core.known_secrets import keep_out
from bulk_cancel.errors import ConfigError

#: Kinds of proxies that httpx supports.
_KINDS = ("http", "https", "socks5", "socks5h")


def proxy_for(url: httpx.URL) -> str | None:
    """Return the proxy that HTTPS_PROXY, ALL_PROXY and the like name for `url`, unless NO_PROXY excepts its host.

    This machine itself is reached without one: to a proxy 127.0.0.1 is its own machine.
    Raises ConfigError for a proxy that cannot be used.
    """
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or _is_loopback(url.host) or _is_excepted(url):
        return None
    return _usable(proxy if "://" in proxy else f"http://{proxy}")


def _is_loopback(host: str) -> bool:
    return host.rstrip(".").lower() == "localhost" or ((address := _address(host)) is not None and address.is_loopback)


def _is_excepted(url: httpx.URL) -> bool:
    """Return whether NO_PROXY has the host, or a network such as 10.0.0.0/8 (Python itself reads only names)."""
    address = _address(url.host)
    in_network = address and any(address in network for network in _networks(getproxies().get("no", "")))
    return bool(in_network or proxy_bypass(url.netloc.decode("ascii")))


def _networks(excepted: str) -> Iterator[IPv4Network | IPv6Network]:
    for word in excepted.replace(",", " ").split():
        with suppress(ValueError):
            yield ip_network(word.strip("[]"), strict=False)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        return ip_address(host)
    return None


def _usable(proxy: str) -> str:
    try:
        url = httpx.URL(proxy)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in _KINDS or not url.host or (url.port or 1) > 65535:
        raise ConfigError(
            "The proxy in the environment (HTTPS_PROXY, ALL_PROXY) cannot be used.",
            advice="Nothing was sent. It looks like http://proxy.example:3128",
        )
    if url.scheme.startswith("socks5") and importlib.util.find_spec("socksio") is None:
        raise ConfigError("A SOCKS proxy needs an extra of httpx.", advice='pip install "httpx[socks]"')
    if url.password:
        keep_out(url.password)
    return proxy


def proxy_name(proxy: str) -> str:
    """Return a proxy's name for people: without the user name and password that its address may contain."""
    url = httpx.URL(proxy)
    return f"the proxy {url.host}:{url.port}" if url.port else f"the proxy {url.host}"
