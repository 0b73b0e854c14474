"""What a credential is, which kinds there are, and which users each may act for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum

from bulk_cancel.core.known_secrets import keep_out
from bulk_cancel.core.text import counted
from bulk_cancel.errors import ConfigError


class CredentialKind(Enum):
    """A personal token acts as its owner, a Platform key as the user that the user header names (documented)."""

    PERSONAL = "personal access token"
    PLATFORM = "Platform API key"


@dataclass(frozen=True, slots=True)
class Credential:
    """A bearer credential. Its value appears in no repr, log or file; `fingerprint` stands for it."""

    secret: str = field(repr=False)
    origin: str = field(default="the credential", compare=False)  #: where a person finds it: a variable, a file, a key

    def __post_init__(self) -> None:
        """Have its value removed from every text that is written or shown."""
        keep_out(self.secret)

    @property
    def kind(self) -> CredentialKind:
        """Platform keys look like `ak_live:<uuid>:<secret>`; everything else is taken for a personal token."""
        return CredentialKind.PLATFORM if self.secret.startswith("ak_") else CredentialKind.PERSONAL

    @property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of its SHA-256, which tell credentials apart and reveal nothing of them."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:12]


def check_pairing(credential: Credential, user_id: str | None, *, rows_with_user: int, rows_without: int) -> None:
    """Refuse what the API would answer with 403 or 400 to every row. Raises ConfigError before any request."""
    if credential.kind is CredentialKind.PERSONAL and (user_id or rows_with_user):
        raise ConfigError(
            "A personal access token acts as its owner: it cannot be used with a user id.",
            advice="Remove MEETERGO_USER_ID, --user-id and the column user_id, or use a Platform API key.",
        )
    if credential.kind is CredentialKind.PLATFORM and not user_id and rows_without:
        raise ConfigError(
            "A Platform API key needs the id of the user it acts as; "
            f"{counted(rows_without, 'row names', 'rows name')} none.",
            advice="Set MEETERGO_USER_ID or --user-id, or fill the column user_id.",
        )
