"""One validated description of what to cancel and under which limits.

Each setting is a flag, an environment variable `BULK_CANCEL_<NAME>` and a key of the job file; the first of these that
is given holds. Paths in a job file are relative to its folder. Credentials are none of these settings.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.text import clean
from bulk_cancel.core.units import parse_duration, parse_rate
from bulk_cancel.errors import ConfigError, InputMissingError

LONGEST_REASON = 500
_PATHS = ("input", "ledger", "out", "log_file")


def _parsed(parse: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _mapping(value: Any) -> Any:
    """Accept a table (job file), `FIELD=COLUMN` pairs (flags) or those with commas between them (environment)."""
    if isinstance(value, str):
        value = [pair for pair in value.split(",") if pair.strip()]
    if isinstance(value, list | tuple):
        pairs = [str(pair).partition("=") for pair in value]
        if not all(field.strip() and column.strip() for field, _, column in pairs):
            raise ValueError("write FIELD=COLUMN")
        return {field.strip(): column.strip() for field, _, column in pairs}
    return value


def _uuid(value: Any) -> Any:
    return str(UUID(value)) if isinstance(value, str) else value


Duration = Annotated[float, _parsed(parse_duration), Field(ge=0)]
Field_ = Literal["appointment_id", "reason", "attendee_id", "cancel_all", "cancel_entire_series", "user_id"]


class Job(BaseSettings):
    """The settings of `run` and `plan`. Durations in seconds, rates in requests per second."""

    model_config = SettingsConfigDict(
        env_prefix="BULK_CANCEL_",
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        enable_decoding=False,
        nested_model_default_partial_update=False,
    )

    input: str
    reason: Annotated[str, Field(max_length=LONGEST_REASON)] | None = None
    map: Annotated[dict[Field_, str], BeforeValidator(_mapping)] = {}
    cancel_all: bool = False
    user_id: Annotated[str, BeforeValidator(_uuid)] | None = Field(
        None, validation_alias=AliasChoices("user_id", "BULK_CANCEL_USER_ID", "MEETERGO_USER_ID")
    )
    rate: Annotated[float, _parsed(parse_rate), Field(gt=0)] = 100 / 60
    burst: int = Field(200, ge=1)
    concurrency: int = Field(16, ge=1, le=256)
    timeout: Duration = 30.0
    max_attempts: int = Field(5, ge=1, le=100)
    settle: Duration = 600.0
    look_first: bool = False
    wait: bool = False
    max_errors: Annotated[str, Field(pattern=r"^(\d+%?)?$")] = ""
    lock_wait: Duration = 0.0
    ledger: str | None = None
    out: Path | None = None
    yes: bool = False
    dry_run: bool = False
    json_: bool = Field(False, alias="json")
    quiet: bool = False
    log_format: Literal["auto", "console", "json"] = "auto"
    log_file: Path | None = None

    @property
    def pace(self) -> Pace:
        """The documented or given limit of the key."""
        return Pace(self.rate, self.burst)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flag > environment > job file > default."""
        file = settings_cls.model_config.get("toml_file")
        job_file = (TomlConfigSettingsSource(settings_cls),) if file else ()
        return (init_settings, env_settings, *job_file)


def load_job(source: str, flags: Mapping[str, Any]) -> Job:
    """Read the settings for SOURCE, a job file (`.toml`) or an input.

    Raises ConfigError (exit 78) for a job file or setting that is wrong, InputMissingError when there is no job file.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if not source.endswith(".toml"):
        return _validated(Job, {**given, "input": source}, source)
    file = Path(source)
    if not file.exists():
        raise InputMissingError(f"There is no job file {source}.", advice="Check the name and the current folder.")

    class FileJob(Job):
        model_config = SettingsConfigDict(toml_file=file)

    return _beside(_validated(FileJob, given, source), file.parent, given)


def _validated(model: type[Job], given: Mapping[str, Any], source: str) -> Job:
    try:
        return model(**given)
    except ValidationError as error:
        raise ConfigError(f"The settings for {source} are wrong: {_complaints(error)}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source} is not a readable TOML file: {error}.") from error


def _complaints(error: ValidationError) -> str:
    """Name each setting and what is wrong with it, without the value: it may be a secret in the wrong place."""
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"]) or "the file"
        what = (
            "there is no such setting"
            if item["type"] == "extra_forbidden"
            else item["msg"].removeprefix("Value error, ")
        )
        lines.append(f"{name}: {clean(what)}")
    return "; ".join(lines)


def _beside(job: Job, folder: Path, given: Mapping[str, Any]) -> Job:
    """Take the paths that the job file names as relative to it."""
    named = {name: value for name in _PATHS if (value := _file_value(job, name, given)) is not None}
    return job.model_copy(update={name: _resolved(folder, value) for name, value in named.items()})


def _file_value(job: Job, name: str, given: Mapping[str, Any]) -> str | Path | None:
    value: str | Path | None = getattr(job, name)
    from_file = name not in given and f"BULK_CANCEL_{name.upper()}" not in os.environ
    return value if from_file and value not in (None, "-") and "://" not in str(value) else None


def _resolved(folder: Path, value: str | Path) -> str | Path:
    path = folder / Path(value).expanduser()
    return path if isinstance(value, Path) else str(path)
