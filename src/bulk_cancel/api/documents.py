"""Reads the API's JSON: only the fields that decide something, not names, addresses and secrets.

Which fields mean "cancelled" is taken from existing clients of the API: `isCancelled`, or `cancel.actionAt` being set.
A `deletedAt` means it as well (inferred). A missing field becomes None and proves nothing; neither does an impossible
moment, since many programs write the year 1 for none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bulk_cancel.api.port import Listed, Page
from bulk_cancel.core.known_secrets import blotted
from bulk_cancel.core.model import Answer, Appointment, Contact
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.text import clean, one_line

_MOST_WARNINGS = 10
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
#: Every usual spelling of a UUID in lower case: in braces, after urn:uuid:, without hyphens.
_ANY_UUID = re.compile("(?:urn:uuid:|{)?" + "-?".join(f"([0-9a-f]{{{size}}})" for size in (8, 4, 4, 4, 12)) + "}?")
#: Longer than any answer: a location is kept whole, since a search may look for any part of it.
_WHOLE = 1 << 20
#: Moments before the year 2000, or more than a day ahead of our clock, are not believed.
_EARLIEST, _AHEAD_S = 946_684_800.0, 86_400.0


def parse_json(body: bytes) -> Any:
    """Return the JSON value; None when the body is not JSON (cut, HTML, empty, nested too deeply)."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def parse_appointment(value: Any, now: float, *, with_contacts: bool = False) -> Appointment | None:
    """Read one appointment object; None when it is not one. Names and addresses only when asked for.

    `now` is in seconds since the epoch: later moments are not believed.
    """
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return None
    cancel, info = _mapping(value.get("cancel")), _mapping(value.get("meetingInfo"))
    times = [text for text in (cancel.get("actionAt"), value.get("deletedAt")) if text]
    moments = [_moment(text, now) for text in times]
    attending, removed = _attendees(value, now)
    hosts, group = _texts(value.get("hostIds")), info.get("groupBooking")
    return Appointment(
        appointment_id=_spelled(value["id"]),
        is_cancelled=_is_cancelled(value.get("isCancelled"), moments),
        cancelled_at=next(filter(None, moments), None),
        cancelled_by=parse_text(cancel.get("actionSource")),
        attendee_ids=attending,
        attendee_count=_count_of_people(value.get("attendees")),
        removed_ids=removed,
        start=parse_text(value.get("start")),
        end=parse_text(value.get("end")),
        meeting_type_id=parse_text(value.get("meetingTypeId")),
        paid=bool(value.get("paymentId")),
        warnings=_warnings(value.get("resolvableErrors")),
        company_id=parse_text(value.get("companyId")),
        host_ids=None if hosts is None else tuple(sorted(hosts)),
        location=parse_text(value.get("location"), _WHOLE),
        channel=parse_text(info.get("channel")),
        meeting=parse_text(info.get("name"), 200),
        group_booking=group if isinstance(group, bool) else None,
        created_at=_moment(value.get("createdAt"), now),
        contacts=_contacts(value.get("attendees")) if with_contacts else (),
    )


def _is_cancelled(flag: object, moments: Sequence[float | None]) -> bool | None:
    """Return whether it is cancelled; None for a missing or wrong flag, and for false beside an impossible time."""
    if flag is True or any(moments):
        return True
    return False if flag is False and not moments else None


def _moment(text: object, now: float) -> float | None:
    """Read when something was created, cancelled or deleted; None for an impossible moment."""
    at = moment_of(text)
    return at if at is not None and _EARLIEST <= at <= now + _AHEAD_S else None


def parse_users(answer: Answer, value: Any) -> Listed[str]:
    """Read the ids of `GET /user`; None when it is not a list of users."""
    users = value.get("users") if answer.status == 200 and isinstance(value, dict) else None
    if not isinstance(users, list):
        return Listed(answer, None)
    found = tuple(id_ for user in users if (id_ := _id(_mapping(user))))
    return Listed(answer, found, len(users) - len(found), parse_total(value))


def parse_page(answer: Answer, value: Any, now: float, *, with_contacts: bool = False) -> Page:
    """Read a page of the list of appointments; its appointments are None when it is not one. Wrong items are counted.

    An item whose id is not a UUID counts as unreadable: it could not be cancelled (documented).
    """
    items = value.get("appointments") if answer.status == 200 and isinstance(value, dict) else None
    if not isinstance(items, list):
        return Page(answer, None)
    parsed = (parse_appointment(item, now, with_contacts=with_contacts) for item in items)
    found = tuple(one for one in parsed if one is not None and _UUID.fullmatch(one.appointment_id))
    return Page(answer, found, len(items) - len(found), parse_total(value))


def parse_total(value: Mapping[str, Any]) -> int | None:
    """Read the number of items on all pages of a list; None when it does not say."""
    total = value.get("total")
    return total if type(total) is int and total >= 0 else None


def is_api_error(value: Any, status: int) -> bool:
    """Return whether a body is an error in the API's own shape: `{statusCode, message, error}` (documented).

    Otherwise the status may not be the API's: a gateway or a proxy answers 404 as well.
    """
    if not isinstance(value, dict) or type(value.get("statusCode")) is not int or value["statusCode"] != status:
        return False
    message = value.get("message")
    texts = message if isinstance(message, list) else [message]
    return isinstance(value.get("error"), str) and all(isinstance(text, str) for text in texts)


def parse_message(value: Any) -> str:
    """Read the message of an error body and of its `errors`; one clean line, possibly empty."""
    if not isinstance(value, dict):
        return ""
    message = value.get("message")
    parts = message if isinstance(message, list) else [message]
    errors = value.get("errors")
    for error in errors if isinstance(errors, list) else []:
        parts = [*parts, _mapping(error).get("message")]
    return clean("; ".join(dict.fromkeys(part for part in parts if isinstance(part, str))))


def _attendees(value: Mapping[str, Any], now: float) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Return who attends (None when the object does not say) and who is marked as deleted.

    Only `attendeeIds` tells who attends: a short document may leave `attendees` empty. If `attendees` is not empty and
    contradicts `attendeeIds`, neither list is believed; nor is any list with an id that is not a UUID in any spelling:
    it may be the one that is looked for.
    """
    listed, attending = value.get("attendees"), _uuids(value.get("attendeeIds"))
    people = [_mapping(person) for person in listed] if isinstance(listed, list) else []
    deleted = [(_id(person), _moment(person["deletedAt"], now)) for person in people if person.get("deletedAt")]
    removed = frozenset(id_ for id_, at in deleted if at is not None)
    named = _texts([person.get("id") for person in people]) if people else None
    contradicts = named is not None and attending is not None and named - removed != attending - removed
    if attending is None or contradicts or any(at is None for _, at in deleted):
        return None, removed
    return attending - removed, removed


def _count_of_people(listed: Any) -> int | None:
    """Return how many people are in the list who are not marked as deleted; a short document may leave it empty."""
    if not isinstance(listed, list) or not listed:
        return None
    return sum(not _mapping(person).get("deletedAt") for person in listed)


def _spelled(text: str) -> str:
    """Return an id as ids are compared: a UUID in its canonical spelling, anything else in lower case."""
    found = _ANY_UUID.fullmatch(text := text.lower())
    return "-".join(found.groups()) if found else text


def _id(person: Mapping[str, Any]) -> str:
    return _spelled(parse_text(person.get("id")) or "")


def _texts(value: Any) -> frozenset[str] | None:
    """Read a list of ids of any kind; None when it contains anything but texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        return None
    return frozenset(_spelled(clean(item, 64)) for item in value)


def _uuids(value: Any) -> frozenset[str] | None:
    """Read a list of UUIDs; None when it contains anything else, since then it does not show who is absent."""
    ids = _texts(value)
    return ids if ids is not None and all(map(_UUID.fullmatch, ids)) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def parse_text(value: Any, longest: int = 64) -> str | None:
    """Read a text, cleaned and shortened; None for anything else, and for an empty one."""
    return clean(value, longest) if isinstance(value, str) and value else None


def _warnings(value: Any) -> tuple[str, ...]:
    codes = [parse_text(_mapping(item).get("errorCode")) for item in value] if isinstance(value, list) else []
    return tuple(code for code in codes if code)[:_MOST_WARNINGS]


def _contacts(value: Any) -> tuple[Contact, ...]:
    people = [_mapping(person) for person in value] if isinstance(value, list) else []
    return tuple(parse_contact(person) for person in people if not person.get("deletedAt"))


def parse_contact(person: Mapping[str, Any]) -> Contact:
    """Read how to reach a person. The fields of a name are not documented: these spellings are those of clients."""
    whole = _contact_text(person, "fullname", "fullName", "name")
    parts = (_contact_text(person, "firstname", "firstName"), _contact_text(person, "lastname", "lastName"))
    name = whole or " ".join(part for part in parts if part)
    return Contact(_id(person), name, _contact_text(person, "email"), _contact_text(person, "phone", "phoneNumber"))


def _contact_text(person: Mapping[str, Any], *spellings: str) -> str:
    return next((blotted(one_line(text)) for name in spellings if isinstance(text := person.get(name), str)), "")
