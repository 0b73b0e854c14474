"""What a live plan tells of a target, as a table."""

from __future__ import annotations

import pytest

from bulk_cancel.core.actions import Action, Rules, foresee, moment_of, why_left_out
from bulk_cancel.core.model import Appointment, Request, Target

ID, ANNA, BERT = "a", "anna", "bert"
NOON = moment_of("2026-11-22T12:00:00Z") or 0.0
LATER = "2026-11-22T13:00:00+00:00"
WHOLE, ONE = Target(ID), Target(ID, ANNA)
PLAIN, EVERYONE = Request(), Request(cancel_all=True)
RULES = Rules(NOON)


def seen(**facts: object) -> Appointment:
    known: dict[str, object] = {"appointment_id": ID, "is_cancelled": False, "start": LATER, **facts}
    return Appointment(**known)  # type: ignore[arg-type]


GROUP = {"group_booking": True, "attendee_ids": frozenset({ANNA, BERT})}


@pytest.mark.parametrize(
    ("target", "request_", "appointment", "action", "why"),
    [
        (WHOLE, PLAIN, seen(), Action.CANCEL, "would be cancelled"),
        (WHOLE, PLAIN, seen(paid=True), Action.CANCEL, "would be cancelled, paid: think of a refund"),
        (WHOLE, PLAIN, None, Action.NOT_FOUND, "the API knows no such appointment"),
        (WHOLE, PLAIN, seen(is_cancelled=True), Action.ALREADY_CANCELLED, "already cancelled"),
        (
            WHOLE,
            PLAIN,
            seen(is_cancelled=True, cancelled_by="host", cancelled_at=NOON),
            Action.ALREADY_CANCELLED,
            "already cancelled by host on 2026-11-22 12:00 UTC",
        ),
        (WHOLE, PLAIN, seen(cancelled_at=NOON), Action.ALREADY_CANCELLED, "already cancelled on 2026-11-22 12:00 UTC"),
        (WHOLE, PLAIN, seen(**GROUP), Action.REFUSED, "a group booking: the API wants attendee_id or cancel_all"),
        (WHOLE, EVERYONE, seen(**GROUP), Action.CANCEL, "would be cancelled"),
        (ONE, PLAIN, seen(**GROUP), Action.CANCEL, "would be cancelled"),
        (ONE, PLAIN, seen(group_booking=True, attendee_ids=frozenset({BERT})), Action.NOT_FOUND,
         "the attendee is not in this appointment"),
        (ONE, PLAIN, seen(group_booking=True, attendee_ids=frozenset({BERT}), removed_ids=frozenset({ANNA})),
         Action.ALREADY_CANCELLED, "the attendee was removed already"),
        (ONE, PLAIN, seen(attendee_ids=frozenset({ANNA})), Action.REFUSED,
         "not a group booking: no attendee can be removed"),
        (WHOLE, PLAIN, seen(start="2026-11-22T11:00:00Z"), Action.SKIP, "it started on 2026-11-22 11:00 UTC: past"),
        (WHOLE, PLAIN, seen(start=None), Action.CANCEL, "would be cancelled"),
    ],
)  # fmt: skip
def test_the_table(
    target: Target, request_: Request, appointment: Appointment | None, action: Action, why: str
) -> None:
    assert foresee(target, request_, appointment, RULES) == (action, why)


@pytest.mark.parametrize(
    ("start", "rules", "why"),
    [
        ("2026-11-22T11:59:59Z", Rules(NOON), "it started on 2026-11-22 11:59 UTC: past"),
        ("2026-11-22T11:59:59Z", Rules(NOON, skip_past=False), ""),
        ("2026-11-22T12:30:00Z", Rules(NOON), ""),
        ("2026-11-22T12:30:00Z", Rules(NOON, late_within_s=3600), "it starts in 30 min: too late"),
        ("2026-11-22T14:30:00+01:00", Rules(NOON, late_within_s=3600), ""),
        ("2026-11-22T12:30:00+01:00", Rules(NOON), "it started on 2026-11-22 11:30 UTC: past"),
        ("2026-11-22T11:00:00", Rules(NOON), "it started on 2026-11-22 11:00 UTC: past"),
        ("soon", Rules(NOON), ""),
        (None, Rules(NOON), ""),
    ],
)
def test_what_a_rule_leaves_out(start: str | None, rules: Rules, why: str) -> None:
    assert why_left_out(start, rules) == why
