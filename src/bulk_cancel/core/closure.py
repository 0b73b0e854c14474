"""What may remain on a closed day: bookings that nobody has confirmed yet, and slots that can still be booked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from bulk_cancel.core.model import Appointment, Contact


@dataclass(frozen=True, slots=True)
class PendingBooking:
    """A booking that waits for a guest's or a host's confirmation. Never holds secrets; contacts only on request."""

    booking_id: str
    kind: str  #: a clause: what it waits for
    start: str | None  #: ISO 8601
    host_ids: tuple[str, ...] = ()
    meeting_type_id: str | None = None
    contacts: tuple[Contact, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, order=True)
class Offer:
    """A meeting type with one host: together they offer slots."""

    meeting_type_id: str
    host_id: str


def offers_of(appointments: Iterable[Appointment], asked: Collection[str] | None) -> Counter[Offer]:
    """Count the appointments by meeting type and host, for each host in `asked`; None: for all hosts."""
    offers: Counter[Offer] = Counter()
    for appointment in appointments:
        for host_id in appointment.host_ids or ():
            if appointment.meeting_type_id and (asked is None or host_id in asked):
                offers[Offer(appointment.meeting_type_id.lower(), host_id)] += 1
    return offers
