"""The people and meeting types of the sandbox, all invented."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

_NAMESPACE = uuid5(NAMESPACE_URL, "https://sandbox.bulk-cancel.invalid")


def made_id(name: str) -> str:
    """The same UUID for the same name, always."""
    return str(uuid5(_NAMESPACE, name))


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who hosts appointments."""

    id: str
    first_name: str
    admin: bool = False

    @property
    def email(self) -> str:
        """An address that can never receive mail."""
        return f"{self.first_name.lower()}@sandbox.invalid"


@dataclass(frozen=True, slots=True)
class MeetingType:
    """What can be booked."""

    id: str
    name: str
    group: bool = False


COMPANY_ID = made_id("company")
OWNER = User(made_id("user/owner"), "Owner", admin=True)
HOST = User(made_id("user/host"), "Host")
COLLEAGUE = User(made_id("user/colleague"), "Colleague")
USERS = (OWNER, HOST, COLLEAGUE)

CONSULTATION = MeetingType(made_id("meeting-type/consultation"), "Consultation")
CHECK_UP = MeetingType(made_id("meeting-type/check-up"), "Check-up")
WORKSHOP = MeetingType(made_id("meeting-type/workshop"), "Workshop", group=True)
MEETING_TYPES = (CONSULTATION, CHECK_UP, WORKSHOP)
