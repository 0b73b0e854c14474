"""What the environment variables of the official client say: the API's address and the time limit."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from bulk_cancel.core.text import stripped
from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.job import Job

#: The official client's variable; a timeout of ours beats it.
TIMEOUT_VARIABLE = "MEETERGO_TIMEOUT_MS"


def timeout_of(job: Job, environ: Mapping[str, str]) -> float:
    """Return how many seconds one exchange may take. Raises ConfigError for a variable that is no number."""
    milliseconds = environ.get(TIMEOUT_VARIABLE, "").strip()
    if "timeout" in job.model_fields_set or not milliseconds:
        return job.timeout
    if not milliseconds.isdigit():
        raise ConfigError(f"{TIMEOUT_VARIABLE} is not a number of milliseconds.")
    return int(milliseconds) / 1000


DEFAULT_API = "https://api.meetergo.com/v4"


#: A server that is silent for 30 s, the usual limit of a client, and applies then, is not trusted too early.
SHORTEST_SETTLE_S = 60.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def api_url(environ: Mapping[str, str]) -> str:
    """Return the API's base URL, with `/v4`. Raises ConfigError for one that would send the credential openly."""
    url = stripped(environ.get("MEETERGO_API_URL", "")).rstrip("/") or DEFAULT_API
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigError("MEETERGO_API_URL is not the address of an API.", advice=f"It looks like {DEFAULT_API}")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigError(
            f"MEETERGO_API_URL would send the credential to {parts.hostname} unencrypted.", advice="Use https://"
        )
    return url


def refuse_short_settle(settle_s: float, url: str) -> None:
    """Refuse a settle time within which a real API may still apply a cancel that it did not answer."""
    if settle_s < SHORTEST_SETTLE_S and urlsplit(url).hostname not in _LOOPBACK:
        raise ConfigError(
            f"A settle time of {settle_s:g} s is too short: a cancel whose answer was lost may take effect later.",
            advice=f"Nothing was sent. Give --settle at least {SHORTEST_SETTLE_S:g}s, or leave it out (10m).",
        )
