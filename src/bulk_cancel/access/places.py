"""Where things live: the API, the ledger, the locks, the results."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.environment import DEFAULT_API, canonical_api


def state_folder() -> Path:
    """Return the user's state folder for this program: kept, not a cache."""
    return platformdirs.user_state_path("bulk-cancel", appauthor=False)


def ledger_path(given: str | None, url: str) -> Path:
    """Return the ledger's file. Without one given, one per API address: a rehearsal never meets the real one."""
    if given is not None and "://" in given and not given.startswith("sqlite://"):
        raise ConfigError(f"There is no ledger of the kind {given.split('://')[0]}://", advice="Name a file.")
    if given is not None:
        return Path(given.removeprefix("sqlite://")).expanduser()
    name = canonical_api(url)
    if name == DEFAULT_API:
        return state_folder() / "ledger.db"
    return state_folder() / f"ledger-{re.sub(r'[^a-z0-9]+', '-', name.partition('://')[2].lower())}.db"


def ledger_lock(path: Path) -> Path:
    """Return the lock file beside a ledger."""
    return path.with_name(f"{path.name}.lock")


def credential_lock(fingerprint: str) -> Path:
    """Return the lock file of a credential: two ledgers must not spend one key's limit unknowingly."""
    return state_folder() / "locks" / f"credential-{fingerprint}.lock"


def credential_pace(fingerprint: str) -> Path:
    """Return the file that remembers what plans and searches used of a credential's limit."""
    return state_folder() / "locks" / f"credential-{fingerprint}.pace"


def new_run_id() -> str:
    """Return a name that sorts by time and is unique: `20261122-093015-4f1c`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
