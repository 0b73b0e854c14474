"""Paths of the ledger, the locks and the state folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.environment import DEFAULT_API, canonical_api

#: The state folder of a user without a home: nothing can be kept there.
NOWHERE = Path(os.devnull)
#: Signs of a database's address: a scheme, parameters of libpq, a password before a host.
_OF_A_DATABASE = re.compile(
    r"://|\b(?:host|hostaddr|port|dbname|user|password|service)\s*=|(?:^|/)[^/\s]*:[^/\s]*@|\b(?:jdbc|postgres\w*):",
    re.IGNORECASE,
)


def state_folder() -> Path:
    """Return the user's state folder for this program (not a cache). NOWHERE for a user without a home."""
    try:
        return platformdirs.user_state_path("bulk-cancel", appauthor=False)
    except RuntimeError:  # neither HOME nor XDG_STATE_HOME is set, and the user has no entry in passwd
        return NOWHERE


def ledger_path(given: str | None, url: str, state: Path) -> Path:
    """Return the ledger's file: the given one, or one per API address, so that a rehearsal has a ledger of its own."""
    if given is not None and _OF_A_DATABASE.search(given.removeprefix("sqlite://")):
        raise ConfigError(
            "The ledger is neither a file nor a PostgreSQL URL. Its address is not shown: it may hold a password.",
            advice="Name a file, or write postgresql://user:password@host:5432/database",
        )
    if given is not None:
        return Path(given.removeprefix("sqlite://")).expanduser()
    _refuse_nowhere(state)
    name = canonical_api(url)
    if name == DEFAULT_API:
        return state / "ledger.db"
    return state / f"ledger-{re.sub(r'[^a-z0-9]+', '-', name.partition('://')[2].lower())}.db"


def ledger_lock(path: Path) -> Path:
    """Return the lock file beside a ledger."""
    return path.with_name(f"{path.name}.lock")


def results_lock(folder: Path) -> Path:
    """Return the lock file of a folder of results: of two runs at once each would replace the other's files."""
    return folder / ".lock"


def credential_lock(state: Path, fingerprint: str) -> Path:
    """Return the lock file of a credential: runs with two ledgers must not use one key's limit at the same time."""
    _refuse_nowhere(state)
    return state / "locks" / f"credential-{fingerprint}.lock"


def credential_pace(state: Path, fingerprint: str) -> Path:
    """Return the file with what plans and searches used of a credential's limit."""
    return state / "locks" / f"credential-{fingerprint}.pace"


def sign_of_life(state: Path) -> Path:
    """Return the file that a worker touches while it is alive: a container's health check reads its age."""
    return state / "worker.alive"


def _refuse_nowhere(state: Path) -> None:
    if state == NOWHERE:
        raise ConfigError(
            "This user has no home folder for the ledger and the locks.",
            advice="Nothing was sent. Name a ledger: --ledger FILE. Or set XDG_STATE_HOME to a folder that is kept.",
        )
