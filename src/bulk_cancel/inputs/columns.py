"""The columns that the snapshot adds to those of the input."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from bulk_cancel.core.columns import MAPPABLE, PREFIX


class Added(StrEnum):
    """The added columns, in the order of InputRow."""

    ROW = "__bc_row"
    APPOINTMENT_ID = "__bc_appointment_id"
    ATTENDEE_ID = "__bc_attendee_id"
    ENTIRE_SERIES = "__bc_cancel_entire_series"
    CANCEL_ALL = "__bc_cancel_all"
    REASON = "__bc_reason"
    USER_ID = "__bc_user_id"
    FIRST_ROW = "__bc_first_row"
    PROBLEMS = "__bc_problems"
    ACCOUNT = "__bc_account"
    REASON_GIVEN = "__bc_reason_given"
    ASKED = "__bc_asked"


#: The added column for each field of the input.
ADDED_FOR: Final = {field: Added(f"{PREFIX}{field}") for field in MAPPABLE}
