"""The reads around a closure: bookings that are not confirmed yet, and slots that are still bookable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from bulk_cancel.sandbox.fields import Fields, Moment, Page, read_fields
from bulk_cancel.sandbox.people import MEETING_TYPES, USERS, User, made_id
from bulk_cancel.sandbox.quirks import Quirk
from bulk_cancel.sandbox.refusal import Refused, invalid
from bulk_cancel.sandbox.world import CANARY, Appointment, Kind

Document = dict[str, object]
_SPOT = timedelta(minutes=30)
_GROUP_SPOTS = 5


class PendingQuery(Page):
    """Which provisional bookings are asked for."""

    status: Literal["pending", "confirmed", "expired", "declined_by_host"] = "pending"
    user_id: str | None = None
    meeting_type_id: str | None = None


class SlotsQuery(Fields):
    """Which slots are asked for. The answer comes from a cache, unless it is to be refreshed (documented)."""

    meeting_type_id: str = ""
    host_ids: str = ""
    start: Moment
    end: Moment
    timezone: ZoneInfo = ZoneInfo("UTC")
    refresh_cache: str = ""


def read_pending(
    appointments: Collection[Appointment], count: int, query: Mapping[str, str], user: User, quirks: frozenset[Quirk]
) -> Document:
    """Return one page of provisional bookings: one for each of the first `count` single appointments, an hour later."""
    if Quirk.PENDING_RIGHTS in quirks:
        raise Refused(403, "Only owners read provisional bookings")
    if Quirk.PENDING_NAMES in quirks:
        read_fields(Page, query)
    asked = read_fields(PendingQuery, query)
    host_id = asked.user_id or user.id
    if host_id != user.id and not user.admin:
        raise Refused(403, "Only admins read the provisional bookings of other users")
    beside = [each for each in appointments if each.kind in (Kind.SINGLE, Kind.OTHER_HOST)][:count]
    known = asked.status == "pending" or Quirk.PENDING_ANY_STATUS in quirks
    found = [_booking(index, each) for index, each in enumerate(beside) if known and host_id in each.host_ids]
    first = asked.page * asked.page_size
    list_name = "items" if Quirk.PENDING_ITEMS in quirks else "provisionalBookings"
    return {list_name: found[first : first + asked.page_size], "total": len(found)}


def _booking(index: int, beside: Appointment) -> Document:
    return {
        "id": made_id(f"{beside.id}/pending"),
        "type": ("double_opt_in", "host_approval")[index % 2],
        "createdAt": beside.created_at.isoformat(),
        "deletedAt": None,
        "meetingTypeId": beside.meeting_type.id,
        "hosts": [
            {"id": host_id, "firstName": CANARY, "email": f"{CANARY}@hosts.invalid"} for host_id in beside.host_ids
        ],
        "dto": {
            "start": (beside.start + 2 * _SPOT).astimezone(UTC).isoformat(),
            "duration": 30,
            "hostIds": list(beside.host_ids),
            "attendee": {
                "firstname": CANARY.title(),
                "lastname": "Pending",
                "email": f"{CANARY}.{index}@guests.invalid",
                "phone": f"+49 000 {index:010d}",
            },
            "bookingPassword": f"{CANARY}-password",
            "waitlistToken": f"{CANARY}-waitlist",
            "rwgToken": f"{CANARY}-rwg",
            "oneTimeLinkId": f"{CANARY}-link",
            "couponCode": f"{CANARY}-coupon",
            "paymentId": f"{CANARY}-payment",
        },
    }


def read_availability(
    appointments: Collection[Appointment], blocked: Collection[date], query: SlotsQuery, quirks: frozenset[Quirk]
) -> Document:
    """Return the bookable slots of one meeting type with one host: half hours from 7 to 17 UTC on every day."""
    if Quirk.SLOTS_MISSING in quirks:
        raise Refused(404, "Cannot GET /v4/booking-availability")
    if query.host_ids not in {user.id for user in USERS}:
        raise invalid({"hostIds": "hostIds must name a host"})
    if query.meeting_type_id not in {each.id for each in MEETING_TYPES}:
        raise Refused(404, "Meeting type not found")
    taken = [each for each in appointments if query.host_ids in each.host_ids and each.cancellation is None]
    days: dict[str, list[Document]] = {}
    for start in _starts(query.start, query.end):
        day = start.astimezone(query.timezone).date()
        spot = _spot(start, query.meeting_type_id, taken, is_blocked=day in blocked)
        days.setdefault(day.isoformat(), []).append(spot)
    return _shaped(days, quirks)


def _starts(first: datetime, last: datetime) -> Iterator[datetime]:
    start = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while start <= last:
        if start >= first and 7 <= start.hour < 17:
            yield start
        start += _SPOT


def _spot(start: datetime, type_id: str, taken: Collection[Appointment], *, is_blocked: bool) -> Document:
    """Return the spot at a time: a group booking has free places until they are taken; others take the whole slot."""
    there = [each for each in taken if each.start < start + _SPOT and start < each.end]
    group = next((each for each in there if each.group and each.meeting_type.id == type_id), None)
    spot: Document = {"startTime": start.isoformat(), "unavailabilityEvents": []}
    if is_blocked or any(each is not group for each in there):
        spot["unavailabilityEvents"] = [{"type": "blocked" if is_blocked else "appointment"}]
    if group is not None:
        taken_spots = min(len(group.attendee_ids), _GROUP_SPOTS)
        spot |= {"appointment": {"id": group.id}, "takenSpots": taken_spots, "totalSpots": _GROUP_SPOTS}
    return spot


def _shaped(days: Mapping[str, list[Document]], quirks: frozenset[Quirk]) -> Document:
    free = {
        day: [str(spot["startTime"]) for spot in spots if not spot["unavailabilityEvents"]]
        for day, spots in days.items()
    }
    if Quirk.SLOTS_TIMES in quirks:
        return {"slots": [{"date": day, "times": times} for day, times in free.items()]}
    if Quirk.SLOTS_AVAILABLE in quirks:
        return {"availableSlots": [time for times in free.values() for time in times]}
    if Quirk.SLOTS_BARE in quirks:
        return {
            "dates": [{"date": day, "spots": [{"startTime": time} for time in times]} for day, times in free.items()]
        }
    return {"dates": [{"date": day, "spots": spots} for day, spots in days.items()]}
