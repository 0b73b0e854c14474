"""The paginated read: its query, and the page that it selects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date
from typing import Literal

from pydantic import Field

from bulk_cancel.sandbox.documents import appointment_document
from bulk_cancel.sandbox.fields import Fields, Moment
from bulk_cancel.sandbox.people import User
from bulk_cancel.sandbox.quirks import Quirk
from bulk_cancel.sandbox.refusal import Refused
from bulk_cancel.sandbox.world import Appointment

_SORT_KEYS: Mapping[str, Callable[[Appointment], tuple[float, str]]] = {
    "appointment.start": lambda appointment: (appointment.start.timestamp(), appointment.id),
    "appointment.createdAt": lambda appointment: (appointment.created_at.timestamp(), appointment.id),
}


class Query(Fields):
    """One paginated read. Both bounds are on the start time and inclusive."""

    page: int = Field(ge=0)
    page_size: int = Field(ge=1, le=100)
    start: Moment | None = None
    end: Moment | None = None
    search: str = ""
    meeting_type_id: str | None = None
    user_id: str | None = None
    status: Literal["active", "cancelled"] | None = None  #: clients send it; its values are not documented
    sort_by: Literal["appointment.start", "appointment.createdAt"] = "appointment.start"
    sort_direction: Literal["ASC", "DESC"] = "ASC"


def read_page(
    appointments: Iterable[Appointment], query: Query, user: User, quirks: frozenset[Quirk] = frozenset()
) -> dict[str, object]:
    """One page of the user's own appointments, or of another user's for an admin."""
    if query.user_id not in (None, user.id) and not user.admin:
        raise Refused(403, "Only admins read the appointments of other users")
    host_id = query.user_id or user.id
    found = [each for each in appointments if host_id in each.host_ids and _matches(each, query)]
    found.sort(key=_SORT_KEYS[query.sort_by], reverse=query.sort_direction == "DESC")
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
        and (not query.search or query.search.lower() in str(appointment_document(appointment)["attendees"]).lower())
    )
