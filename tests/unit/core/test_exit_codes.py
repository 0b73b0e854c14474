"""What a run ends with, from its rows and from what halted it."""

from __future__ import annotations

from bulk_cancel.core.exit_codes import Halt, Remains, decide_exit
from bulk_cancel.core.model import Status
from bulk_cancel.errors import Exit


def ends_with(halt: Halt | None = None, /, **open_rows: int) -> Exit:
    counts = {Status(name): open_rows.pop(name) for name in [*open_rows] if name in set(Status)}
    return decide_exit(Remains(counts, **open_rows), halt)


def test_rows_that_the_same_command_takes_up_end_with_5() -> None:
    assert ends_with(cancelled=9, failed=1) is Exit.STOPPED
    assert ends_with(rejected=9, failed=1) is Exit.STOPPED
    assert ends_with(rejected=9, cancelled=1) is Exit.REFUSED_ROWS


def test_a_halt_for_a_person_stands_although_no_row_is_left() -> None:
    assert ends_with(Halt(Exit.STOPPED, "Stopped."), cancelled=3) is Exit.OK
    assert ends_with(Halt(Exit.STOPPED, "The canary.", for_a_person=True), cancelled=3) is Exit.STOPPED


def test_what_only_a_person_can_settle_ends_with_3_and_is_no_reason_to_run_again() -> None:
    assert ends_with(unknown=1) is Exit.UNKNOWN
    assert ends_with(unknown=2, undecided=1) is Exit.UNKNOWN
    assert ends_with(unknown=1, undecided=1) is Exit.REFUSED_ROWS
    assert ends_with(unknown=1, undecided=1, pending=1) is Exit.STOPPED


def test_0_is_never_said_while_a_person_is_needed() -> None:
    assert ends_with(cancelled=2, skipped=1) is Exit.OK
    assert ends_with(cancelled=2, skipped=1, changed=1) is Exit.REFUSED_ROWS
    assert ends_with(cancelled=2, warned=1) is Exit.REFUSED_ROWS
    assert "cancelled with a warning" in Exit.REFUSED_ROWS.meaning


def test_a_reconcile_that_finds_targets_active_leaves_them_to_a_run() -> None:
    assert ends_with(sendable=2) is Exit.STOPPED
