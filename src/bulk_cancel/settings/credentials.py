"""Where a credential is read from: a variable, a file, or systemd."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from bulk_cancel.core.credential import Credential
from bulk_cancel.core.text import stripped
from bulk_cancel.errors import ConfigError

_WHERE = "Set MEETERGO_TOKEN, or MEETERGO_TOKEN_FILE to the name of a file that holds it."
SYSTEMD_NAME = "meetergo-token"


def find_credential(environ: Mapping[str, str]) -> Credential:
    """Read the credential from the environment, a file it names, or systemd. Raises ConfigError when there is none."""
    for name in ("MEETERGO_TOKEN", "MEETERGO_API_KEY"):
        if stripped(environ.get(name, "")):
            return _checked(environ[name], name)
    if file := environ.get("MEETERGO_TOKEN_FILE"):
        return _checked(_read_private(Path(file)), "the file that MEETERGO_TOKEN_FILE names")
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder) / SYSTEMD_NAME).exists():
        return _checked(_read(path), f"systemd's credential {SYSTEMD_NAME}")
    raise ConfigError("There is no credential for the API.", advice=_WHERE)


def credential_of(environ: Mapping[str, str], variable: str | None, file: Path | None, whose: str) -> Credential:
    """Read the credential from the one place that is named for `whose`. Errors name the key, not what it holds."""
    if variable is not None:
        if not stripped(environ.get(variable, "")):
            raise ConfigError(f"There is no credential of {whose}: the variable that token_env names is not set.")
        return _checked(environ[variable], f"token_env of {whose}")
    key = f"token_file of {whose}"
    try:
        value = _read_private(file or Path())
    except ConfigError as error:
        why = "every user of this machine can read it" if error.__cause__ is None else "it cannot be read"
        raise ConfigError(f"The file that {key} names cannot be used: {why}.", advice="Nothing was sent.") from None
    return _checked(value, key)


def _read_private(path: Path) -> str:
    """Read a file that not every user may read; its group may. (systemd's own folder is closed to other users.)"""
    text = _read(path)
    refuse_open_file(path, "the credential file")
    return text


def refuse_open_file(path: Path, what: str) -> None:
    """Raise ConfigError when every user of this machine can read a file that holds secrets."""
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        raise ConfigError(
            f"Every user of this machine can read {what} {path}.",
            advice=f"Nothing was sent. Type: chmod o-rwx '{path}'  Replace the secret if others may have read it.",
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        # The file's name is left out: it may be the token itself, in the wrong variable.
        raise ConfigError(f"The file of the credential cannot be read: {why}.", advice=_WHERE) from error


def _checked(value: str, origin: str) -> Credential:
    secret = stripped(value)
    if not secret or not all("!" <= character <= "~" for character in secret):
        raise ConfigError(
            f"The credential in {origin} is empty or contains characters that no credential has.", advice=_WHERE
        )
    return Credential(secret, origin)
