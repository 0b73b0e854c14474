"""What a cancel does: the rules of its body, the rights it needs, its effects, and a second cancel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, StringConstraints

from bulk_cancel.sandbox.appointments import Book
from bulk_cancel.sandbox.fields import Fields, Uuid
from bulk_cancel.sandbox.people import User
from bulk_cancel.sandbox.refusal import Refused
from bulk_cancel.sandbox.world import Appointment, Cancellation, Kind

SecondCancel = Literal["refuse", "mail_again"]

SYNC_ERROR_CODE = "CALENDAR_SYNC_FAILED"


class Order(Fields):
    """The body of a cancel."""

    model_config = ConfigDict(strict=True)

    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    attendee_id: Uuid = ""
    cancel_all: bool = False
    cancel_entire_series: bool = False


def find_permitted(appointment: Appointment | None, user: User) -> Appointment:
    """Return the appointment if it exists (else 404) and the user is its host or an admin (else 403)."""
    if appointment is None:
        raise Refused(404, "Appointment not found")
    if not user.admin and user.id not in appointment.host_ids:
        raise Refused(403, "You are not a host of this appointment")
    return appointment


@dataclass(frozen=True, slots=True)
class Desk:
    """Carries out cancels on the appointments."""

    book: Book
    second_cancel: SecondCancel

    def carry_out(self, appointment_id: str, order: Order, actor: User, at: datetime) -> Appointment:
        """Carry out the cancel and return the appointment as it is then; a refusal comes before any effect."""
        appointment = find_permitted(self.book.find(appointment_id), actor)
        _check_scope(appointment, order)
        if appointment.cancellation and self.second_cancel == "refuse":
            raise Refused(400, "Appointment is already cancelled")
        if order.attendee_id:
            return self._remove_attendee(appointment, order.attendee_id)
        source = "host" if actor.id in appointment.host_ids else "admin"
        cancellation = Cancellation(at, actor.id, source, order.reason or None)
        for sibling in self.book.siblings(appointment) if order.cancel_entire_series else ():
            if sibling.start > at and sibling.cancellation is None:
                self._cancel_one(sibling, cancellation)
                self.book.taken_along[sibling.id] += 1
        return self._cancel_one(appointment, cancellation)

    def _cancel_one(self, appointment: Appointment, cancellation: Cancellation) -> Appointment:
        cancelled = replace(
            appointment,
            cancellation=cancellation,
            after_effects=(SYNC_ERROR_CODE,) if appointment.kind is Kind.SYNC_ERROR else (),
        )
        self.book.replace(cancelled)
        self.book.count_effect(appointment.id)
        return cancelled

    def _remove_attendee(self, appointment: Appointment, attendee_id: str) -> Appointment:
        left = tuple(id_ for id_ in appointment.attendee_ids if id_ != attendee_id)
        changed = replace(appointment, attendee_ids=left)
        self.book.replace(changed)
        self.book.count_effect(appointment.id, attendee_id)
        return changed


def _check_scope(appointment: Appointment, order: Order) -> None:
    if order.attendee_id and (order.cancel_all or order.cancel_entire_series):
        raise Refused(400, "attendeeId cannot be combined with cancelAll or cancelEntireSeries")
    if order.cancel_all and order.cancel_entire_series:
        raise Refused(400, "cancelAll cannot be combined with cancelEntireSeries")
    if order.attendee_id and not appointment.group:
        raise Refused(400, "attendeeId is for group bookings only")
    if appointment.group and not order.attendee_id and not order.cancel_all:
        raise Refused(400, "A group booking needs attendeeId or cancelAll")
    if order.attendee_id and order.attendee_id not in appointment.attendee_ids:
        raise Refused(404, "Attendee not found in this appointment")
