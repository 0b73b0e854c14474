"""The JSON documents of the API. They hold the secrets and personal data of the real one, each with the canary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from bulk_cancel.sandbox.people import COMPANY_ID, MeetingType, User
from bulk_cancel.sandbox.world import CANARY, Appointment, Cancellation

Document = dict[str, object]

_HAMBURG = timezone(timedelta(hours=1))


def appointment_document(appointment: Appointment) -> Document:
    """The whole appointment, as reads and cancels answer it."""
    document: Document = {
        "id": appointment.id,
        "companyId": COMPANY_ID,
        "start": _moment(appointment.start, appointment.location),
        "end": _moment(appointment.end, appointment.location),
        "createdAt": _moment(appointment.created_at),
        "isCancelled": appointment.cancellation is not None,
        "cancel": _cancellation(appointment.cancellation),
        "deletedAt": None,
        "hostIds": list(appointment.host_ids),
        "attendeeIds": list(appointment.attendee_ids),
        "attendees": [_attendee(id_) for id_ in appointment.attendee_ids],
        "meetingTypeId": appointment.meeting_type.id,
        "meetingInfo": _meeting_info(appointment),
        "location": appointment.location,
        "resolvableErrors": [{"errorCode": code} for code in appointment.after_effects],
        "secret": f"{CANARY}-secret-{appointment.id}",
        "ics": f"BEGIN:VCALENDAR\r\nUID:{CANARY}-{appointment.id}\r\nEND:VCALENDAR",
        "hostingInfo": {"hostUrl": f"https://video.invalid/{CANARY}/{appointment.id}"},
    }
    if appointment.paid:
        document["paymentId"] = f"pay_{appointment.id[:8]}"
    return document


def user_document(user: User) -> Document:
    """One user of the company."""
    return {
        "id": user.id,
        "companyId": COMPANY_ID,
        "givenName": user.first_name,
        "familyName": "Sandbox",
        "email": user.email,
        "isAdmin": user.admin,
        "timezone": "Europe/Berlin",
    }


def meeting_type_document(meeting_type: MeetingType) -> Document:
    """One meeting type."""
    info = {"name": meeting_type.name, "duration": 30, "channel": "local", "groupBooking": meeting_type.group}
    return {"id": meeting_type.id, "slug": meeting_type.name.lower(), "meetingInfo": info}


def _meeting_info(appointment: Appointment) -> Document:
    meeting_type = appointment.meeting_type
    return {
        "name": meeting_type.name,
        "channel": appointment.channel,
        "groupBooking": appointment.group,
        "duration": 30,
    }


def _attendee(id_: str) -> Document:
    number = id_[:8]
    return {
        "id": id_,
        "firstname": CANARY.title(),
        "lastname": f"Guest-{number}",
        "fullname": f"{CANARY.title()} Guest-{number}",
        "email": f"{CANARY}.{number}@guests.invalid",
        "phone": f"+49 000 {int(number, 16):010d}",
        "secret": f"{CANARY}-attendee-secret-{id_}",
        "deletedAt": None,
    }


def _cancellation(cancellation: Cancellation | None) -> Document | None:
    if cancellation is None:
        return None
    return {
        "actionSource": cancellation.source,
        "actionAt": _moment(cancellation.at),
        "actionBy": cancellation.by,
        "reason": cancellation.reason,
    }


def _moment(moment: datetime, location: str = "") -> str:
    """UTC as a rule; the Hamburg office answers with an offset, since the real API does so now and then."""
    if location == "Hamburg office":
        return moment.astimezone(_HAMBURG).isoformat(timespec="milliseconds")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
