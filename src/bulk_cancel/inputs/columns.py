"""Names of the fields of an input, and of the columns that the snapshot adds to the original ones."""

from __future__ import annotations

from typing import Final

from bulk_cancel.core.columns import ACCOUNT as ACCOUNT
from bulk_cancel.core.columns import APPOINTMENT_ID as APPOINTMENT_ID
from bulk_cancel.core.columns import ATTENDEE_ID as ATTENDEE_ID
from bulk_cancel.core.columns import CANCEL_ALL as CANCEL_ALL
from bulk_cancel.core.columns import ENTIRE_SERIES as ENTIRE_SERIES
from bulk_cancel.core.columns import MAPPABLE as MAPPABLE
from bulk_cancel.core.columns import PREFIX as PREFIX
from bulk_cancel.core.columns import REASON as REASON
from bulk_cancel.core.columns import ROW
from bulk_cancel.core.columns import USER_ID as USER_ID

BC_ROW: Final = ROW
BC_APPOINTMENT_ID: Final = "__bc_appointment_id"
BC_ATTENDEE_ID: Final = "__bc_attendee_id"
BC_ENTIRE_SERIES: Final = "__bc_entire_series"
BC_CANCEL_ALL: Final = "__bc_cancel_all"
BC_REASON: Final = "__bc_reason"
BC_USER_ID: Final = "__bc_user_id"
BC_FIRST_ROW: Final = "__bc_first_row"
BC_PROBLEMS: Final = "__bc_problems"
BC_ACCOUNT: Final = "__bc_account"
BC_REASON_GIVEN: Final = "__bc_reason_given"
BC_ASKED: Final = "__bc_asked"

#: In the order of InputRow.
ADDED_COLUMNS: Final = (
    BC_ROW,
    BC_APPOINTMENT_ID,
    BC_ATTENDEE_ID,
    BC_ENTIRE_SERIES,
    BC_CANCEL_ALL,
    BC_REASON,
    BC_USER_ID,
    BC_FIRST_ROW,
    BC_PROBLEMS,
    BC_ACCOUNT,
    BC_REASON_GIVEN,
    BC_ASKED,
)

#: The added column for each field of the input.
ADDED_FOR: Final = {
    APPOINTMENT_ID: BC_APPOINTMENT_ID,
    REASON: BC_REASON,
    ATTENDEE_ID: BC_ATTENDEE_ID,
    CANCEL_ALL: BC_CANCEL_ALL,
    ENTIRE_SERIES: BC_ENTIRE_SERIES,
    USER_ID: BC_USER_ID,
    ACCOUNT: BC_ACCOUNT,
}
