"""Checks this machine's versions and time zones."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import apsw

from bulk_cancel.commands.doctor.check import Check, failed, good
from bulk_cancel.errors import ConfigError
from bulk_cancel.version import version


def versions() -> dict[str, str]:
    """Return the versions that matter, by name."""
    return {
        "bulk-cancel": version(),
        "Python": platform.python_version(),
        "httpx": version_of("httpx"),
        "polars": version_of("polars"),
        "SQLite": apsw.sqlite_lib_version(),
    }


def check_versions() -> Check:
    here = f"{platform.system()} {platform.release()} on {platform.machine()}"
    return good("versions", f"{', '.join(f'{what} {which}' for what, which in versions().items())}; {here}.")


def check_zones(names: tuple[str, ...]) -> Check:
    """Check that the needed time zones are known here."""
    try:
        for name in names:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        error = ConfigError(f"The time zone {name} is not known here.", advice="Install the package tzdata.")
        return failed("time zones", error)
    return good("time zones", f"Known: {' and '.join(names)}.")
