"""The paginated read: its query, checked as the API checks it, and the page it selects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from bulk_cancel.sandbox.documents import appointment_document
from bulk_cancel.sandbox.people import User
from bulk_cancel.sandbox.quirks import Quirk
from bulk_cancel.sandbox.refusal import Refused, invalid
from bulk_cancel.sandbox.world import Appointment

PAGE_SIZE_LIMIT = 100
_SORT_KEYS: Mapping[str, Callable[[Appointment], tuple[float, str]]] = {
    "appointment.start": lambda appointment: (appointment.start.timestamp(), appointment.id),
    "appointment.createdAt": lambda appointment: (appointment.created_at.timestamp(), appointment.id),
}
_DIRECTIONS = ("ASC", "DESC")
_NAMES = frozenset(
    ("page", "pageSize", "start", "end", "search", "meetingTypeId", "userId", "sortBy", "sortDirection", "status")
)
_STATUSES = ("active", "cancelled")


@dataclass(frozen=True, slots=True)
class Query:
    """One paginated read. Both bounds are on the start time and inclusive."""

    page: int
    page_size: int
    start: datetime | None
    end: datetime | None
    search: str
    meeting_type_id: str | None
    user_id: str | None
    status: str | None  #: clients send it; its values are not documented
    sort_by: str
    descending: bool


def read_query(parameters: Mapping[str, str]) -> Query:
    """Parse the parameters; refused with a 400 that names every wrong one."""
    errors = {name: f"property {name} should not exist" for name in parameters if name not in _NAMES}
    query = Query(
        page=_number(parameters, "page", range(10**9), errors),
        page_size=_number(parameters, "pageSize", range(1, PAGE_SIZE_LIMIT + 1), errors),
        start=_moment(parameters, "start", errors),
        end=_moment(parameters, "end", errors),
        search=parameters.get("search", "").lower(),
        meeting_type_id=parameters.get("meetingTypeId"),
        user_id=parameters.get("userId"),
        status=_choice(parameters, "status", _STATUSES, errors) if "status" in parameters else None,
        sort_by=_choice(parameters, "sortBy", tuple(_SORT_KEYS), errors),
        descending=_choice(parameters, "sortDirection", _DIRECTIONS, errors) == "DESC",
    )
    if errors:
        raise invalid(errors)
    return query


def read_page(
    appointments: Iterable[Appointment], query: Query, user: User, quirks: frozenset[Quirk] = frozenset()
) -> dict[str, object]:
    """One page of the user's own appointments, or of another user's for an admin."""
    if query.user_id not in (None, user.id) and not user.admin:
        raise Refused(403, "Only admins read the appointments of other users")
    host_id = query.user_id or user.id
    found = [each for each in appointments if host_id in each.host_ids and _matches(each, query)]
    found.sort(key=_SORT_KEYS[query.sort_by], reverse=query.descending)
    size = min(query.page_size, 25) if Quirk.PAGES_OF_25 in quirks else query.page_size
    first = query.page * size
    documents = [appointment_document(each) for each in found[first : first + size]]
    if Quirk.BROKEN_ITEMS in quirks:
        documents = [each | {"id": "none"} if index % 10 == 9 else each for index, each in enumerate(documents)]
    return {"appointments": documents, **({} if Quirk.NO_TOTAL in quirks else {"total": len(found)})}


def read_today(appointments: Iterable[Appointment], user: User, today: date) -> list[dict[str, object]]:
    """The user's own appointments of a day, as UTC has it: a bare array."""
    own = [each for each in appointments if user.id in each.host_ids and each.start.astimezone(UTC).date() == today]
    return [appointment_document(each) for each in sorted(own, key=_SORT_KEYS["appointment.start"])]


def _matches(appointment: Appointment, query: Query) -> bool:
    return (
        (query.start is None or appointment.start >= query.start)
        and (query.end is None or appointment.start <= query.end)
        and query.meeting_type_id in (None, appointment.meeting_type.id)
        and query.status in (None, "active" if appointment.cancellation is None else "cancelled")
        and (not query.search or query.search in str(appointment_document(appointment)["attendees"]).lower())
    )


def _number(parameters: Mapping[str, str], name: str, allowed: range, errors: dict[str, str]) -> int:
    text = parameters.get(name, "")
    if text.isascii() and text.isdecimal() and int(text[:10]) in allowed:
        return int(text)
    errors[name] = f"{name} must be an integer from {allowed.start} to {allowed.stop - 1}"
    return allowed.start


def _moment(parameters: Mapping[str, str], name: str, errors: dict[str, str]) -> datetime | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        errors[name] = f"{name} must be a valid ISO 8601 date string"
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _choice(parameters: Mapping[str, str], name: str, allowed: tuple[str, ...], errors: dict[str, str]) -> str:
    text = parameters.get(name, allowed[0])
    if text in allowed:
        return text
    errors[name] = f"{name} must be one of the following values: {', '.join(allowed)}"
    return allowed[0]
