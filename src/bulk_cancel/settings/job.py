"""One validated description of what to cancel and under which limits.

Each setting is a flag, an environment variable `BULK_CANCEL_<NAME>` and a key of the job file; the first of these that
is given holds. Paths in a job file are relative to its folder. Credentials are not among these settings.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Set
from datetime import date, datetime, time, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from bulk_cancel.core.actions import Look
from bulk_cancel.core.dates import fill_dates
from bulk_cancel.core.deadline import SETTLE_S, Deadline, parse_deadline
from bulk_cancel.core.moments import Zone, parse_zone
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.reason import LONGEST_REASON
from bulk_cancel.core.selection import Days, Selection
from bulk_cancel.core.text import clean, one_line
from bulk_cancel.core.units import parse_duration, parse_rate
from bulk_cancel.core.window import SendWindow, parse_window
from bulk_cancel.errors import MISSING, ConfigError, InputMissingError, UsageError
from bulk_cancel.settings.credentials import refuse_open_file
from bulk_cancel.settings.mapping import parse_mapping

#: Most characters of a ticket, or of the name of the person who approved.
LONGEST_NOTE = 200
#: Variables whose whole value is secret.
SECRET_SETTINGS = frozenset({"BULK_CANCEL_NOTIFY"})
_PATHS = ("input", "ledger", "out", "log_file", "plan_file", "metrics_file", "accounts")
#: Settings in which dates are filled in. Not the ledger: one ledger for all days knows what was sent.
_DATED = ("input", "out", "log_file", "plan_file")


def _parsed(parse: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _reason(value: str) -> str:
    """Check a reason's length; one with blanks is checked once they are filled in."""
    if not set(value) & set("{}") and len(value) > LONGEST_REASON:
        raise ValueError(f"at most {LONGEST_REASON} characters are allowed")
    return value


def _note(value: str) -> str:
    """Accept one short line, which people read in reports."""
    if len(value) > LONGEST_NOTE:
        raise ValueError(f"at most {LONGEST_NOTE} characters are allowed")
    if one_line(value) != value:
        raise ValueError("write one line, without control characters")
    return value


def _date(value: Any) -> Any:
    """Accept dates only: a number would be read as seconds since 1970, and a time of day means nothing here."""
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError("write a date, for example 2026-12-24") from error


def _listed(between: str) -> BeforeValidator:
    """Accept a list (job file), or a text of several, with commas or blanks between them (environment)."""
    return _parsed(lambda text: list(filter(None, re.split(between, text.strip()))))


#: TOML has literals for both.
_OF_TOML = BeforeValidator(lambda value: Deadline(value) if isinstance(value, time | datetime) else value)
_ONE_OR_MORE = _parsed(lambda text: [text])
Duration = Annotated[float, _parsed(parse_duration), Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, _parsed(parse_rate), Field(gt=0, allow_inf_nan=False)]
#: Not empty: an unset shell variable must not select everything.
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
#: Why, and on whose approval: one line each.
Note = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_note)]
Uuid = Annotated[str, _parsed(lambda text: str(UUID(text)))]
ZoneName = Annotated[str, AfterValidator(lambda name: parse_zone(name).key)]
Occasion = Literal["finish", "failure", "unknown", "halt"]
Day = Annotated[date, BeforeValidator(_date), Field(ge=date(1970, 1, 2), lt=date(3000, 1, 1))]


class Select(BaseModel):
    """Which appointments are to be found: the options of `find`, and the table [select] of a job file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")
    timezone: ZoneName
    location: Text | None = None
    host: Annotated[tuple[Uuid, ...], _ONE_OR_MORE] = ()
    all_hosts: bool = False
    meeting_type: Uuid | None = None
    channel: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _dated(cls, values: Any) -> Any:
        """Fill in `{today}` and the like by the date in `timezone`."""
        if not isinstance(values, Mapping) or not isinstance(values.get("timezone"), str):
            return values
        days = {name: day for name in ("from", "to") if isinstance(day := values.get(name), str) and "{" in day}
        zone = parse_zone(values["timezone"]) if days else None
        return {**values, **{name: fill_dates(day, _today(zone)) for name, day in days.items()}}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.last < self.first:
            raise ValueError("the last day is before the first")
        if self.host and self.all_hosts:
            raise ValueError("name hosts, or take all of them")
        return self

    def selection(self) -> Selection:
        """Return the criteria as a search uses them."""
        days = Days(self.first, self.last, parse_zone(self.timezone))
        return Selection(days, self.location, self.host, self.all_hosts, self.meeting_type, self.channel)


class Job(BaseModel):
    """The settings of `run` and `plan`. Durations in seconds, rates in requests per second."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True)

    _file: Path | None = PrivateAttr(None)
    input: str = ""
    missing_input: Literal["error", "ok"] = "error"
    timezone: ZoneName | None = None
    select: Select | None = None  #: instead of an input: what a search finds is the input
    reason: Annotated[str, AfterValidator(_reason)] | None = None
    ticket: Note = ""  #: why: kept with the run, mailed to nobody
    approved_by: Note = ""  #: who approved it: likewise
    map: Annotated[dict[str, str], BeforeValidator(parse_mapping)] = {}
    hidden_rows: Literal["", "skip", "include"] = ""  #: of a sheet; empty: a sheet that hides rows is refused
    encoding: str = ""  #: of a CSV or NDJSON text; empty: UTF-8
    cancel_all: bool = False
    user_id: Uuid | None = None
    accounts: Path | None = None  #: a TOML file of named credentials: see `accounts.py`
    account: str = ""  #: of the rows that name none; empty: the environment's credential
    rate: Rate = 100 / 60
    burst: int = Field(200, ge=1)
    concurrency: int = Field(16, ge=1, le=256)
    timeout: Duration = 30.0
    max_attempts: int = Field(5, ge=1, le=100)
    settle: Duration = SETTLE_S
    look: Look = Look.AUTO
    retry_refused: bool = False
    wait: bool = False
    skip_past: bool = True
    late_within: Duration = 0.0
    max_cancel: int | None = Field(None, ge=0)
    canary: int = Field(0, ge=0)
    send_window: Annotated[SendWindow, _parsed(parse_window)] | None = None
    outside_window: Literal["wait", "stop"] = "wait"
    rebooking_list: bool = False
    excel: bool = False
    show: Annotated[tuple[Text, ...], _ONE_OR_MORE] = ()  #: columns of the input, beside the ids
    plan_file: Path | None = None
    plan_ttl: Duration = 24 * 3600.0
    expect_digest: str | None = None
    max_errors: Annotated[str, Field(pattern=r"^(\d+%?)?$")] = ""
    lock_wait: Duration = 0.0
    max_duration: Annotated[Duration, Field(gt=0)] | None = None
    deadline: Annotated[Deadline, _parsed(parse_deadline), _OF_TOML] | None = None
    ledger: str | None = None
    engine: Literal["local", "dbos"] = "local"
    chunk: int = Field(250, ge=1, le=500)
    out: Path | None = None
    yes: bool = False
    dry_run: bool = False
    json_: bool = Field(False, alias="json")
    quiet: bool = False
    log_format: Literal["auto", "console", "json"] = "auto"
    log_file: Path | None = None
    metrics_file: Path | None = None
    notify: Annotated[tuple[SecretStr, ...], _listed(r"[\s,]+(?=\w+://)")] = ()  #: they hold passwords and tokens
    notify_on: Annotated[tuple[Occasion, ...], _listed(r"[\s,]+")] = ("failure", "unknown", "halt")

    @model_validator(mode="before")
    @classmethod
    def _with_environment(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Add the settings of the environment for those that are not given."""
        return {**{key: value for key, value in _environment().items() if f"{key}_" not in values}, **values}

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if bool(self.input) == (self.select is not None):
            raise ValueError("name an input or a table [select], and not both")
        return self

    @model_validator(mode="after")
    def _knows_accounts(self) -> Self:
        if self.account and self.accounts is None:
            raise ValueError("account names an account: name the file of the accounts, too (accounts)")
        return self

    @property
    def label(self) -> str:
        """Where the rows come from, for people."""
        return self.input or "[select]"

    @property
    def file(self) -> Path | None:
        """The job file, if there is one."""
        return self._file

    @property
    def name(self) -> str:
        """The job's name, the same every day: its job file's, else where the rows come from."""
        return self.file.stem if self.file else self.label

    @property
    def zone(self) -> tzinfo | None:
        """The zone of the job's days and hours; None: this machine's."""
        name = self.timezone or (self.select.timezone if self.select else None)
        return parse_zone(name) if name else None

    @property
    def pace(self) -> Pace:
        """The documented or given limit of the key."""
        return Pace(self.rate, self.burst)


def setting_variables() -> dict[str, str]:
    """Return the environment variable of each setting, with its key in a job file."""
    return {
        f"BULK_CANCEL_{key.upper()}": key for key in (field.alias or name for name, field in Job.model_fields.items())
    }


def _environment() -> dict[str, str]:
    """Return the settings of the environment by their keys: BULK_CANCEL_…, and the official client's user id."""
    variables = {name.upper(): value for name, value in os.environ.items()}
    found = {key: variables[name] for name, key in setting_variables().items() if name in variables}
    user_id = {"user_id": variables["MEETERGO_USER_ID"]} if "MEETERGO_USER_ID" in variables else {}
    return {**user_id, **found}


def load_job(source: str, flags: Mapping[str, Any] = MappingProxyType({})) -> Job:
    """Read the settings for SOURCE, a job file (`.toml`) or an input. What `flags` name comes before all others.

    Raises UsageError (exit 2) for a wrong flag, ConfigError (exit 78) for a wrong job file, variable or combination of
    settings, InputMissingError when there is no job file.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if not source.endswith(".toml"):
        return _validated({**given, "input": source}, source, given)
    file = Path(source)
    if not file.exists():
        raise InputMissingError(f"There is no job file {source}.", advice=MISSING)
    keys = keys_of(file)
    if "notify" in keys:
        refuse_open_file(file, "the addresses of notify, with their passwords, in the job file")
    elsewhere = {**_environment(), **given}
    job = _validated({**keys, **elsewhere}, source, given)
    job._file = file
    return _beside(job, file.parent, elsewhere.keys())


def keys_of(file: Path) -> dict[str, Any]:
    """Read the settings of a job file, without checking any. Raises ConfigError when it is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits raises ValueError, too
        raise ConfigError(f"{file} is not a readable TOML file: {error}.") from error


def search_job(select: Mapping[str, Any], flags: Mapping[str, Any]) -> Job:
    """Return the job of a search. Raises as `load_job` does, and UsageError (exit 2) for wrong criteria."""
    wanted, given = ({name: value for name, value in named.items() if value is not None} for named in (select, flags))
    try:
        Select.model_validate(wanted)
    except ValidationError as error:
        name_zone = "" if "timezone" in wanted else "Name the zone of the days: --timezone Europe/Berlin"
        raise UsageError(
            f"The options of the search are wrong: {complaints(error, 'together')}.", advice=name_zone
        ) from error
    return _validated({**given, "input": "", "select": wanted}, "find", given)


def _validated(given: Mapping[str, Any], source: str, flags: Mapping[str, Any]) -> Job:
    try:
        return Job.model_validate(given)
    except ValidationError as error:
        if all(item["loc"] and item["loc"][0] in flags for item in error.errors(include_url=False)):
            said = f"The options for {source} are wrong: {complaints(error)}."
            raise UsageError(said, advice="Nothing was sent.") from error
        raise ConfigError(f"The settings for {source} are wrong: {complaints(error)}.") from error


#: What pydantic says of settings as such, for people.
_WRONG = {"extra_forbidden": "there is no such setting", "missing": "it is missing"}


def complaints(error: ValidationError, whole: str = "the file") -> str:
    """Return each wrong setting and what is wrong, without its value, which may be a secret in the wrong place."""
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"]) or whole
        what = _WRONG.get(item["type"]) or item["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {clean(what)}")
    return "; ".join(lines)


def _beside(job: Job, folder: Path, elsewhere: Set[str]) -> Job:
    """Take the paths that the job file names, and nothing `elsewhere`, as relative to it."""
    paths: dict[str, str | Path] = {}
    for name in _PATHS:
        value = getattr(job, name)
        if name not in elsewhere and value not in (None, "", "-"):
            value = _dated(job, name, value) if name in _DATED else value
            paths[name] = value if "://" in str(value) else type(value)(folder / Path(value).expanduser())
    return job.model_copy(update=paths)


def _dated(job: Job, name: str, value: str | Path) -> str | Path:
    try:
        return type(value)(fill_dates(str(value), _today(job.zone)))
    except ValueError as error:
        raise ConfigError(f"The setting {name} cannot be used: {error}.") from error


def _today(zone: Zone) -> date:
    return datetime.now(zone).date()
