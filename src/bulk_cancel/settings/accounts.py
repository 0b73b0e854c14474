"""Accounts: named credentials, each with a rate limit of its own, in a TOML file that never holds the tokens.

The empty name is the run's own credential, from the environment and with the job's limit. A credential is read when its
account is first needed, so that a run needs only those that its rows name. Two accounts with the same credential would
share one limit without knowing it: such a file is refused.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from bulk_cancel.core.credential import Credential
from bulk_cancel.core.pacing import Pace
from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.credentials import credential_of, find_credential
from bulk_cancel.settings.job import Job, Rate, Uuid, complaints

#: The name of the run's own credential.
OWN = ""
NAME = r"^[A-Za-z0-9_.-]{1,64}$"

_Name = Annotated[str, StringConstraints(pattern=NAME)]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Entry(BaseModel):
    """One table [accounts.NAME]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_env: _Variable | None = None
    token_file: Path | None = None
    user_id: Uuid | None = None
    rate: Rate | None = None
    burst: int | None = Field(None, ge=1)
    concurrency: int | None = Field(None, ge=1, le=256)

    @model_validator(mode="before")
    @classmethod
    def _holds_no_token(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and "token" in values:
            raise ValueError(
                "token: tokens do not belong in this file; name a variable (token_env) or a file (token_file)"
            )
        return values

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.token_env is None) == (self.token_file is None):
            raise ValueError("name one of token_env and token_file, and not both")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: Annotated[dict[_Name, _Entry], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Account:
    """A credential, the user it acts as, and its rate limit."""

    name: str
    credential: Credential
    user_id: str | None
    pace: Pace
    concurrency: int

    @property
    def label(self) -> str:
        """Its name in sentences."""
        return label_of(self.name)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts that a job may use. Their credentials are read when they are needed."""

    job: Job
    environ: Mapping[str, str] = field(repr=False)
    _entries: Mapping[str, _Entry] = field(default_factory=dict, repr=False)
    _found: dict[str, Account] = field(default_factory=dict, repr=False)

    @property
    def given(self) -> bool:
        """Whether there is an accounts file. Without one there is only the run's own credential."""
        return self.job.accounts is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the file, in its order."""
        return tuple(self._entries)

    def pace(self, name: str) -> Pace:
        """Return the limit of an account, whether its credential can be found or not."""
        entry, job = self._entry(name), self.job
        return Pace(entry.rate or job.rate, entry.burst or job.burst)

    def user_id(self, name: str) -> str | None:
        """Return the id of the user that an account acts as where a row names none."""
        return self.job.user_id if name == OWN else self._entry(name).user_id

    def place(self, name: str) -> str:
        """Return where the credential is looked for: the key of the accounts file, never its value."""
        return "the environment" if name == OWN else "token_env" if self._entry(name).token_env else "token_file"

    def find(self, name: str) -> Account:
        """Return an account. Raises ConfigError when it is not in the file, or its credential is missing."""
        if name not in self._found:
            found = self._read(name)
            self._refuse_shared(found)
            self._found[name] = found
        return self._found[name]

    def _entry(self, name: str) -> _Entry:
        if name == OWN:
            return _OWN_ENTRY
        if name not in self._entries:
            known = f"It has: {', '.join(self.names)}." if self.names else "Name the file of the accounts: --accounts."
            raise ConfigError(f"The account {name} is not in the accounts file.", advice=f"Nothing was sent. {known}")
        return self._entries[name]

    def _read(self, name: str) -> Account:
        entry = self._entry(name)
        concurrency = entry.concurrency or self.job.concurrency
        return Account(name, self._credential(name, entry), self.user_id(name), self.pace(name), concurrency)

    def _credential(self, name: str, entry: _Entry) -> Credential:
        if name == OWN:
            return find_credential(self.environ)
        folder = self.job.accounts.parent if self.job.accounts else Path()
        file = folder / entry.token_file.expanduser() if entry.token_file else None
        return credential_of(self.environ, entry.token_env, file, f"the account {name}")

    def _refuse_shared(self, found: Account) -> None:
        for other in self._found.values():
            if other.credential == found.credential:
                raise ConfigError(
                    f"{_capital(other.label)} and {found.label} have the same credential, hence one limit.",
                    advice="Nothing was sent. Make one account of them, or give each a credential of its own.",
                )


_OWN_ENTRY = _Entry.model_construct()


def label_of(name: str) -> str:
    """Return the name of an account in sentences."""
    return "the run's own credential" if name == OWN else f"the account {name}"


def load_accounts(job: Job, environ: Mapping[str, str]) -> Accounts:
    """Read the job's accounts file; without one there is only the run's own credential. Missing ones are no error.

    Raises ConfigError, which names accounts and keys but no values.
    """
    accounts = Accounts(job, environ, _entries_of(job.accounts) if job.accounts else {})
    if job.account and job.account not in accounts.names:
        raise ConfigError(
            f"The setting account names {job.account}, which is not in the accounts file.",
            advice=f"It has: {', '.join(accounts.names)}. Nothing was sent.",
        )
    _refuse_twice(accounts)
    return accounts


def _entries_of(path: Path) -> Mapping[str, _Entry]:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).accounts
    except ValidationError as error:
        raise ConfigError(f"The accounts file {path} is wrong: {complaints(error)}.") from None
    except (ValueError, RecursionError):  # a number of 5,000 digits raises ValueError, too
        raise ConfigError(f"The accounts file {path} is not a readable TOML file.") from None
    except OSError as error:
        raise ConfigError(f"The accounts file {path} cannot be read: {error.strerror}.") from error


def _refuse_twice(accounts: Accounts) -> None:
    """Refuse two accounts with one credential. A missing credential is an error only when its account is used."""
    probe = Accounts(accounts.job, accounts.environ, accounts._entries)
    for name in accounts.names:
        try:
            read = probe._read(name)
        except ConfigError:
            continue
        probe._refuse_shared(read)
        probe._found[name] = read


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
