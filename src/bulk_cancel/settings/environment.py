"""Settings from the environment: the API's address, the timeout, and the zone in which people read times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, tzinfo
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from bulk_cancel.core.moments import parse_zone
from bulk_cancel.core.text import stripped
from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.job import Job

#: The official client's variable; the setting `timeout` comes before it.
TIMEOUT_VARIABLE = "MEETERGO_TIMEOUT_MS"
DEFAULT_API = "https://api.meetergo.com/v4"
_LOOPBACK = "127.0.0.1"
#: Longer than the 30 s after which clients usually give up: a server may apply a cancel that late.
SHORTEST_SETTLE_S = 60.0
_LOCALTIME = Path("/etc/localtime")
#: Names of UTC, the zone of most servers.
_UTC = frozenset({"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"})
#: With dots or escapes in it a path has many spellings, and a ledger is bound to one of them.
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[\w.~-]+)*", re.ASCII)
_PORTS = {"http": 80, "https": 443}


def timeout_of(job: Job, environ: Mapping[str, str]) -> float:
    """Return how many seconds one exchange may take. Raises ConfigError for a variable that is not a number."""
    milliseconds = environ.get(TIMEOUT_VARIABLE, "").strip()
    if "timeout" in job.model_fields_set or not milliseconds:
        return job.timeout
    if not milliseconds.isdigit():
        raise ConfigError(f"{TIMEOUT_VARIABLE} is not a number of milliseconds.")
    return int(milliseconds) / 1000


def api_url(environ: Mapping[str, str]) -> str:
    """Return the API's base URL, with `/v4`. Raises ConfigError for one that sends the credential unencrypted."""
    url = stripped(environ.get("MEETERGO_API_URL", "")).rstrip("/") or DEFAULT_API
    parts = _parts(url)
    if parts is None or parts.username or parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        raise ConfigError("MEETERGO_API_URL is not the address of an API.", advice=f"It looks like {DEFAULT_API}")
    if parts.scheme == "http" and _host(parts) != _LOOPBACK:
        raise ConfigError(
            f"MEETERGO_API_URL would send the credential to {parts.hostname} unencrypted.", advice="Use https://"
        )
    return url


def named_zone(given: str | None, environ: Mapping[str, str]) -> ZoneInfo | None:
    """Return the zone in which a command without a job shows times; None when none is named.

    Raises ConfigError for an unknown zone.
    """
    name = given or environ.get("BULK_CANCEL_TIMEZONE", "")
    try:
        return parse_zone(name) if name else None
    except ValueError as error:
        raise ConfigError(f"The time zone cannot be used: {error}.") from error


def local_zone(environ: Mapping[str, str], localtime: Path = _LOCALTIME) -> tzinfo:
    """Return this machine's zone: the one that TZ names, else the system's, else UTC.

    A zone from a file without a name has the key "".
    """
    name = environ.get("TZ", "").removeprefix(":") or str(localtime.resolve()).partition("zoneinfo/")[2]
    with suppress(ValueError):
        return UTC if name in _UTC else parse_zone(name)
    with suppress(OSError, ValueError), localtime.open("rb") as file:
        return UTC if environ.get("TZ") else ZoneInfo.from_file(file, key="")
    return UTC


def canonical_api(url: str) -> str:
    """Return the canonical URL of an API, to which a ledger is bound: one for all spellings of its address."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{_host(parts)}{port}{parts.path.rstrip('/')}"


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        host = f"[{ip_address(host)}]"  # the canonical spelling of an IPv6 address
    return _LOOPBACK if host in ("localhost", "[::1]") else host


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address; None when its scheme, host or port is not usable."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in _PORTS and _host(parts) and parts.port != 0:
            return parts
    return None


def refuse_short_settle(settle_s: float, url: str) -> None:
    """Refuse a settle time within which a real API may still apply a cancel that it did not answer."""
    if settle_s < SHORTEST_SETTLE_S and _host(urlsplit(url)) != _LOOPBACK:
        raise ConfigError(
            f"A settle time of {settle_s:g} s is too short: a cancel whose answer was lost may take effect later.",
            advice=f"Nothing was sent. Give --settle at least {SHORTEST_SETTLE_S:g}s, or leave it out (10m).",
        )
