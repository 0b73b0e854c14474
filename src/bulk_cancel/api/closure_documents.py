"""Reads the JSON of pending bookings, meeting types and bookable slots. A document of another shape gives None.

Older shapes of the availability (`slots[]`, `availableSlots`) are not read: their meaning is not known well enough to
say that a day is closed. Of a pending booking's `dto` only its start and, on request, its
attendee are read: the rest holds passwords and tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulk_cancel.api.documents import parse_contact, parse_text, parse_total
from bulk_cancel.api.port import Listed
from bulk_cancel.core.closure import PendingBooking
from bulk_cancel.core.model import Answer
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.text import clean

#: What the API calls a pending booking -> what it waits for.
_WAITS_FOR = {"double_opt_in": "for the guest to confirm", "host_approval": "for the host to approve"}


def parse_pending(answer: Answer, value: Any, *, with_contacts: bool = False) -> Listed[PendingBooking]:
    """Read `GET /provisional-booking/paginated` (documented: `{provisionalBookings, total}`)."""
    items = value.get("provisionalBookings") if answer.status == 200 and isinstance(value, dict) else None
    if not isinstance(items, list):
        return Listed(answer, None)
    there = [item for item in items if not (isinstance(item, dict) and item.get("deletedAt"))]
    found = [booking for item in there if (booking := _booking(item, with_contacts=with_contacts))]
    return Listed(answer, tuple(found), len(there) - len(found), parse_total(value), len(items))


def _booking(item: Any, *, with_contacts: bool) -> PendingBooking | None:
    dto = item.get("dto") if isinstance(item, dict) else None
    start = parse_text(dto.get("start")) if isinstance(dto, dict) else None
    if not isinstance(dto, dict) or not isinstance(item.get("id"), str) or moment_of(start) is None:
        return None
    attendee, kind = dto.get("attendee"), parse_text(item.get("type"))
    return PendingBooking(
        booking_id=clean(item["id"], 64),
        kind=_WAITS_FOR.get(kind, f"of the kind {kind}") if kind else "of an unknown kind",
        start=start,
        host_ids=_host_ids(item.get("hosts")),
        meeting_type_id=parse_text(item.get("meetingTypeId")),
        contacts=(parse_contact(attendee),) if with_contacts and isinstance(attendee, dict) else (),
    )


def _host_ids(hosts: Any) -> tuple[str, ...]:
    ids = [parse_text(host.get("id")) for host in hosts if isinstance(host, dict)] if isinstance(hosts, list) else []
    return tuple(sorted(id_.lower() for id_ in ids if id_))


def parse_meeting_types(answer: Answer, value: Any) -> Listed[str]:
    """Read the ids of `GET /meeting-type`: a list, bare or under `meetingTypes`."""
    listed = value.get("meetingTypes") if isinstance(value, dict) else value
    if answer.status != 200 or not isinstance(listed, list):
        return Listed(answer, None)
    ids = [parse_text(item.get("id")) if isinstance(item, dict) else None for item in listed]
    return Listed(answer, None if None in ids else tuple(id_.lower() for id_ in ids if id_))


def parse_slots(answer: Answer, value: Any) -> Listed[str]:
    """Read `GET /booking-availability`: the starts of `dates[].spots[]` that can be booked (documented; clients)."""
    dates = value.get("dates") if answer.status == 200 and isinstance(value, dict) else None
    if not isinstance(dates, list):
        return Listed(answer, None)
    starts: list[str] = []
    for day in dates:
        spots = day.get("spots") if isinstance(day, dict) else None
        if not isinstance(spots, list):
            return Listed(answer, None)
        for spot in spots:
            start, is_free = _spot(spot) if isinstance(spot, dict) else (None, None)
            if start is None or is_free is None:
                return Listed(answer, None)
            starts += [start] if is_free else []
    return Listed(answer, tuple(starts))


def _spot(spot: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Return when a spot begins and whether it can be booked; None for each that it does not say."""
    start = next((text for name in ("startTime", "start") if (text := parse_text(spot.get(name)))), None)
    events, appointment = spot.get("unavailabilityEvents"), spot.get("appointment")
    if moment_of(start) is None or not isinstance(events, list):
        return None, None
    if events or not appointment:
        return start, not events
    inner = appointment if isinstance(appointment, dict) else {}
    taken, total = (spot.get(name, inner.get(name)) for name in ("takenSpots", "totalSpots"))
    return start, taken < total if type(taken) is int and type(total) is int else None
