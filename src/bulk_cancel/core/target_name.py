"""How a person names a target: an appointment's id, or APPOINTMENT/ATTENDEE."""

from __future__ import annotations

from uuid import UUID

from bulk_cancel.core.model import Target
from bulk_cancel.core.text import clean
from bulk_cancel.errors import UsageError


def parse_target_name(name: str) -> tuple[str, str]:
    """Return the ids of the appointment and of the attendee ("" without one). Raises UsageError for anything else."""
    appointment, _, attendee = name.partition("/")
    return _uuid(appointment), _uuid(attendee) if attendee else ""


def target_name(target: Target) -> str:
    """Return the name that `parse_target_name` reads."""
    return f"{target.appointment_id}/{target.attendee_id}" if target.attendee_id else target.appointment_id


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise UsageError(f'"{clean(text, 40)}" is not the id of an appointment or attendee.') from error
