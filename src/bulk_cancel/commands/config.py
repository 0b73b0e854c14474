"""The settings that a run would use, and where each comes from. Credentials are named, never shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bulk_cancel.access.setup import Setup
from bulk_cancel.core.credential import Credential
from bulk_cancel.core.text import redact
from bulk_cancel.core.window import SendWindow
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.settings.credentials import find_credential
from bulk_cancel.settings.environment import TIMEOUT_VARIABLE, timeout_of
from bulk_cancel.settings.job import Job, Select, keys_of, setting_variables


class Origin(StrEnum):
    """Where a value came from."""

    ARGUMENT = "argument"
    FLAG = "flag"
    ENVIRONMENT = "environment"
    JOB_FILE = "job file"
    ACCOUNTS = "accounts file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as a run would use it."""

    name: str
    value: Any  #: fit for JSON
    origin: Origin
    where: str = ""  #: the flag, the variable, the file
    unit: str = ""  #: of a number that has one


def settings_shown(setup: Setup, source: str, flags: Mapping[str, Any]) -> list[Setting]:
    """Return every setting of a job, which was loaded from `source` and `flags`, and what the environment adds.

    Raises ConfigError for a timeout that is not a number.
    """
    job, environ = setup.job, setup.machine.environ
    origins = _Origins(source, flags, environ)
    seen = job.model_copy(update={"timeout": timeout_of(job, environ)})
    shown = {"ledger": str(setup.place)} if job.ledger is not None else {}  # its address may hold a password
    names = setting_variables().values()
    return [*(_setting(seen, name, shown, origins) for name in names), *_surroundings(setup, origins)]


def _setting(job: Job, name: str, shown: Mapping[str, str], origins: _Origins) -> Setting:
    value = shown.get(name, getattr(job, "json_" if name == "json" else name))
    unit = "" if not isinstance(value, float) else "/s" if name == "rate" else "s"
    return Setting(name, _shown(value), *origins.of(name), unit)


def _shown(value: Any) -> Any:
    """Return a value that JSON can hold, without anything that looks like a credential or a mail address."""
    if isinstance(value, Select):
        return _shown(value.model_dump(mode="json", by_alias=True))
    if isinstance(value, SendWindow):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _shown(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))


class _Origins:
    """Finds where each setting was given."""

    def __init__(self, source: str, flags: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._source, self._flags, self._environ = source, flags, environ
        self._variables = {name.upper(): name for name in environ}
        self._keys = keys_of(Path(source)) if source.endswith(".toml") else None

    def of(self, name: str) -> tuple[Origin, str]:
        """Return where a setting of the job came from. The order is that of `Job`."""
        if name == "input" and self._keys is None:
            return Origin.ARGUMENT, self._source
        if self._flags.get(name) is not None:
            return Origin.FLAG, f"--{name.replace('_', '-')}"
        for variable in (f"BULK_CANCEL_{name.upper()}", *(["MEETERGO_USER_ID"] if name == "user_id" else [])):
            if variable in self._variables:
                return Origin.ENVIRONMENT, self._variables[variable]
        if self._keys is not None and name in self._keys:
            return Origin.JOB_FILE, self._source
        if name == "timeout":
            return self.of_variable(TIMEOUT_VARIABLE)
        return Origin.DEFAULT, ""

    def of_variable(self, *names: str) -> tuple[Origin, str]:
        """Return which of these variables is set."""
        variable = next((name for name in names if self._environ.get(name, "").strip()), None)
        return (Origin.ENVIRONMENT, variable) if variable else (Origin.DEFAULT, "")


def _surroundings(setup: Setup, origins: _Origins) -> Iterator[Setting]:
    """Yield the settings besides the job's: address, credential, accounts, ledger."""
    yield Setting("api_url", setup.api_url, *origins.of_variable("MEETERGO_API_URL"))
    yield Setting("credential", _credential(setup.machine.environ), *origins.of_variable(*_CREDENTIALS))
    yield from _accounts(setup)
    yield Setting("ledger_file", redact(str(setup.place)), *origins.of("ledger"))


def _accounts(setup: Setup) -> Iterator[Setting]:
    """Yield each account: the kind of its credential, where that comes from, and its limit."""
    accounts = setup.accounts
    for name in accounts.names:
        try:
            credential = _told(accounts.find(name).credential)
        except BulkCancelError:
            credential = "no credential"
        pace = accounts.pace(name)
        value = f"{credential}, by {accounts.place(name)}; {pace.rate_per_s:.4g}/s, burst {pace.burst}"
        yield Setting(f"account {name}", value, Origin.ACCOUNTS, str(setup.job.accounts))


_CREDENTIALS = ("MEETERGO_TOKEN", "MEETERGO_API_KEY", "MEETERGO_TOKEN_FILE", "CREDENTIALS_DIRECTORY")


def _credential(environ: Mapping[str, str]) -> str | None:
    try:
        return _told(find_credential(environ))
    except BulkCancelError:
        return None


def _told(credential: Credential) -> str:
    return f"{credential.kind.value}, fingerprint {credential.fingerprint}"
