"""What a run ends with, from its rows and from what halted it."""

from __future__ import annotations

from bulk_cancel.core.exit_codes import Halt, decide_exit
from bulk_cancel.core.model import Status
from bulk_cancel.errors import Exit


def test_rows_that_may_simply_be_run_again_end_with_5() -> None:
    assert decide_exit({Status.CANCELLED: 9, Status.FAILED: 1}, None) is Exit.STOPPED
    assert decide_exit({Status.REJECTED: 9, Status.FAILED: 1}, None) is Exit.STOPPED
    assert decide_exit({Status.REJECTED: 9, Status.CANCELLED: 1}, None) is Exit.REFUSED_ROWS


def test_a_halt_for_a_person_stands_although_no_row_is_left() -> None:
    assert decide_exit({Status.CANCELLED: 3}, Halt(Exit.STOPPED, "Stopped.")) is Exit.OK
    assert decide_exit({Status.CANCELLED: 3}, Halt(Exit.STOPPED, "The canary.", for_a_person=True)) is Exit.STOPPED
