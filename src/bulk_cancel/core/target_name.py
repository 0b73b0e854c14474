"""How a person names a target: an appointment's id, and after a slash which of its targets, where there are several."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bulk_cancel.core.model import Target
from bulk_cancel.core.text import clean
from bulk_cancel.errors import UsageError

_WHOLE: Final = "whole"
_SERIES: Final = "series"


def parse_target_name(name: str) -> tuple[str, str]:
    """Return the appointment's id, and which of its targets is named, as `part_of` tells it; "" for all of them.

    Raises UsageError for anything else.
    """
    appointment, _, part = name.partition("/")
    part = part if not part or part in (_WHOLE, _SERIES) else _uuid(part)
    return _uuid(appointment), part


def part_of(target: Target) -> str:
    """Return which target of its appointment it is: the series, the whole appointment, or an attendee by the id."""
    return _SERIES if target.entire_series else target.attendee_id or _WHOLE


def target_name(target: Target) -> str:
    """Return the name that `parse_target_name` reads: of this target alone."""
    return f"{target.appointment_id}/{part_of(target)}"


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise UsageError(f'"{clean(text, 40)}" is not the id of an appointment or attendee.') from error
