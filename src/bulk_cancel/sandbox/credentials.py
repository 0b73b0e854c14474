"""The credentials that the sandbox accepts, and the users that they act as."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from bulk_cancel.sandbox.people import HOST, OWNER, USERS, User, made_id
from bulk_cancel.sandbox.refusal import Refused

OWNER_TOKEN = "rgo-sandbox"  # noqa: S105  documented and worthless outside the sandbox
HOST_TOKEN = "rgo-sandbox-host"  # noqa: S105
EXPIRED_TOKEN = "rgo-sandbox-expired"  # noqa: S105
PLATFORM_KEY = f"ak_live:{made_id('platform-key')}:sandbox"

_PERSONAL = {OWNER_TOKEN: OWNER, HOST_TOKEN: HOST}
_BY_ID = {user.id: user for user in USERS}
USER_HEADER = "x-meetergo-api-user-id"


@dataclass(frozen=True, slots=True)
class Credential:
    """An accepted credential: a personal token has an owner, a platform key has none."""

    fingerprint: str
    owner: User | None


def fingerprint(text: str) -> str:
    """Return what the sandbox records of a credential, since somebody may send a real one by mistake."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_credential(headers: Mapping[str, str], *, any_personal_token: bool = False) -> Credential:
    """Return the credential of a request; refused with 401 when it is missing, unknown or expired."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text == PLATFORM_KEY:
        return Credential(fingerprint(text), None)
    owner = _PERSONAL.get(text)
    if owner is None and any_personal_token and text.startswith("rgo-") and text != EXPIRED_TOKEN:
        owner = OWNER
    if scheme.lower() != "bearer" or owner is None:
        raise Refused(401, "Unauthorized")
    return Credential(fingerprint(text), owner)


def read_acting_user(credential: Credential, headers: Mapping[str, str], *, required: bool = True) -> User:
    """Return the acting user: a token's owner, or the header's user. 403 for another than the owner, 400 for none."""
    named = headers.get(USER_HEADER)
    if credential.owner is not None:
        if named not in (None, credential.owner.id):
            raise Refused(403, "A personal access token acts as its owner only")
        return credential.owner
    if named is None and required:
        raise Refused(400, f"The header {USER_HEADER} is required with a platform API key")
    user = OWNER if named is None else _BY_ID.get(named.lower())
    if user is None:
        raise Refused(403, f"The header {USER_HEADER} names nobody of this company")
    return user
