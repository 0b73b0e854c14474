"""What a cancel does: the rules of its body, the rights it needs, its effects, and a second cancel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from bulk_cancel.sandbox.appointments import Book
from bulk_cancel.sandbox.people import User
from bulk_cancel.sandbox.refusal import Refused, invalid
from bulk_cancel.sandbox.world import Appointment, Cancellation, Kind

SecondCancel = Literal["refuse", "mail_again"]

REASON_LIMIT = 500
SYNC_ERROR_CODE = "CALENDAR_SYNC_FAILED"
_FIELDS: Mapping[str, type] = {"reason": str, "attendeeId": str, "cancelAll": bool, "cancelEntireSeries": bool}
_KIND_NAMES = {str: "a string", bool: "a boolean value"}


@dataclass(frozen=True, slots=True)
class Order:
    """The body of a cancel."""

    reason: str | None = None
    attendee_id: str | None = None
    whole_group: bool = False
    whole_series: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """One cancel request: who wants what done to which appointment."""

    appointment_id: str
    order: Order
    actor: User
    at: datetime


def read_order(body: bytes) -> Order:
    """Parse a request body; refused with a 400 that names every wrong field."""
    fields = _read_object(body)
    errors = {name: f"property {name} should not exist" for name in fields if name not in _FIELDS}
    for name, kind in _FIELDS.items():
        if name in fields and not isinstance(fields[name], kind):
            errors[name] = f"{name} must be {_KIND_NAMES[kind]}"
    errors |= _value_errors({name: value for name, value in fields.items() if name not in errors})
    if errors:
        raise invalid(errors)
    attendee = fields.get("attendeeId")
    return Order(
        reason=fields.get("reason"),
        attendee_id=attendee.lower() if attendee else None,
        whole_group=fields.get("cancelAll", False),
        whole_series=fields.get("cancelEntireSeries", False),
    )


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

    def carry_out(self, cancel: Cancel) -> Appointment:
        """Carry out the cancel and return the appointment as it is then; a refusal comes before any effect."""
        appointment = find_permitted(self.book.find(cancel.appointment_id), cancel.actor)
        _check_scope(appointment, cancel.order)
        if appointment.cancellation and self.second_cancel == "refuse":
            raise Refused(400, "Appointment is already cancelled")
        if cancel.order.attendee_id:
            return self._remove_attendee(appointment, cancel.order.attendee_id)
        if cancel.order.whole_series:
            self._cancel_siblings(appointment, cancel)
        return self._cancel_one(appointment, cancel)

    def _cancel_one(self, appointment: Appointment, cancel: Cancel) -> Appointment:
        source = "admin" if cancel.actor.id not in appointment.host_ids else "host"
        cancelled = replace(
            appointment,
            cancellation=Cancellation(cancel.at, cancel.actor.id, source, cancel.order.reason),
            after_effects=(SYNC_ERROR_CODE,) if appointment.kind is Kind.SYNC_ERROR else (),
        )
        self.book.replace(cancelled)
        self.book.count_effect(appointment.id)
        return cancelled

    def _cancel_siblings(self, appointment: Appointment, cancel: Cancel) -> None:
        for sibling in self.book.siblings(appointment):
            if sibling.start > cancel.at and sibling.cancellation is None:
                self._cancel_one(sibling, cancel)
                self.book.count_taken_along(sibling.id)

    def _remove_attendee(self, appointment: Appointment, attendee_id: str) -> Appointment:
        left = tuple(id_ for id_ in appointment.attendee_ids if id_ != attendee_id)
        changed = replace(appointment, attendee_ids=left)
        self.book.replace(changed)
        self.book.count_effect(appointment.id, attendee_id)
        return changed


def _check_scope(appointment: Appointment, order: Order) -> None:
    if order.attendee_id and (order.whole_group or order.whole_series):
        raise Refused(400, "attendeeId cannot be combined with cancelAll or cancelEntireSeries")
    if order.whole_group and order.whole_series:
        raise Refused(400, "cancelAll cannot be combined with cancelEntireSeries")
    if order.attendee_id and not appointment.group:
        raise Refused(400, "attendeeId is for group bookings only")
    if appointment.group and not order.attendee_id and not order.whole_group:
        raise Refused(400, "A group booking needs attendeeId or cancelAll")
    if order.attendee_id and order.attendee_id not in appointment.attendee_ids:
        raise Refused(404, "Attendee not found in this appointment")


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body or b"{}")
    except ValueError:
        raise Refused(400, "The body is not valid JSON") from None
    if not isinstance(fields, dict):
        raise Refused(400, "The body must be a JSON object")
    return fields


def _value_errors(fields: Mapping[str, object]) -> dict[str, str]:
    errors = {}
    if len(str(fields.get("reason", ""))) > REASON_LIMIT:
        errors["reason"] = f"reason must be shorter than or equal to {REASON_LIMIT} characters"
    if "attendeeId" in fields and not is_uuid(str(fields["attendeeId"])):
        errors["attendeeId"] = "attendeeId must be a UUID"
    return errors


def is_uuid(text: str) -> bool:
    """Return whether the text is a UUID with hyphens, in either case."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
