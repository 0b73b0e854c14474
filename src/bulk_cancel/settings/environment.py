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
