"""The address of a database: the part that people may see, and the parameters for libpq."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from bulk_cancel.errors import ConfigError

SCHEMES = ("postgresql://", "postgres://")
#: Defaults for what an address leaves open: a dead peer is noticed within two minutes, not within two hours.
PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the ledger is. Only `place` is for people: the parameters hold the password."""

    place: str  #: without password, and without any option
    parameters: dict[str, str] = field(repr=False)


def parse(url: str) -> Address:
    """Parse a URL. Raises ConfigError when it is not one; the message does not quote it."""
    try:
        given = conninfo_to_dict(url) if url.startswith(SCHEMES) else {}
    except ProgrammingError:
        given = {}  # psycopg's message quotes what may be a part of the password
    parts = {name: str(value) for name, value in given.items() if value is not None}
    if not parts or _is_torn(parts):
        raise ConfigError(
            "The ledger's address is not a PostgreSQL URL.",
            advice="Write postgresql://user:password@host:5432/database. In the password, write @ as %40, / as %2F, "
            ": as %3A, % as %25.",
        ) from None
    return Address(_place(parts), PATIENCE | parts)


def place_of(url: str) -> str:
    """Return the address for people, without password and options. Raises ConfigError when it is not a URL."""
    return parse(url).place


def _is_torn(parts: dict[str, str]) -> bool:
    """Return whether a bare @ or / has cut a password, so that its rest is in a part that would be shown."""
    where = parts.get("host", "") + parts.get("dbname", "")
    return "@" in where or not parts.get("port", "0").replace(",", "").isdigit()


def _place(parts: dict[str, str]) -> str:
    user = f"{quote(parts['user'], safe='')}@" if "user" in parts else ""
    host, port = parts.get("host", parts.get("hostaddr", "")), f":{parts['port']}" if "port" in parts else ""
    database = quote(parts.get("dbname", ""), safe="")
    if host.startswith("/"):
        return f"postgresql://{user}{port}/{database}?host={host}"
    return f"postgresql://{user}{host}{port}/{database}"
