"""What a cancel would do to a target, told from what its appointment is now. Pure: the live plan does the reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from bulk_cancel.core.model import Appointment, Request, Target
from bulk_cancel.core.outcome import shows_cancelled
from bulk_cancel.core.units import show_duration


class Action(StrEnum):
    """What a run would do with a row."""

    CANCEL = "cancel"  #: send it
    READ_FIRST = (
        "read_first"  #: an earlier cancel of it has no known outcome: read, and send only after the settle time
    )
    NOTHING = "nothing"  #: the ledger knows it as settled
    SAME = "same"  #: an earlier row names the same target
    ALREADY_CANCELLED = "already_cancelled"  #: a look shows it cancelled
    NOT_FOUND = "not_found"  #: a look finds no such appointment, or no such attendee in it
    REFUSED = "refused"  #: the API would refuse it
    SKIP = "skip"  #: a rule leaves it out
    INVALID = "invalid"  #: the row cannot be sent


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left out although it could be cancelled. `now` in seconds since the epoch, durations in seconds."""

    now: float
    skip_past: bool = True
    late_within_s: float = 0.0  #: leave out what starts within this time: people are on their way


def foresee(target: Target, request: Request, seen: Appointment | None, rules: Rules) -> tuple[Action, str]:
    """Return what a run would do with a sendable target, and why. `seen` is None when the API knows no such one."""
    if seen is None:
        return Action.NOT_FOUND, "the API knows no such appointment"
    if seen.is_cancelled or seen.cancelled_at is not None:
        return Action.ALREADY_CANCELLED, f"already cancelled{_by_whom(seen)}"
    if target.attendee_id is not None and target.attendee_id in seen.removed_ids:
        return Action.ALREADY_CANCELLED, "the attendee was removed already"
    if target.attendee_id is not None and shows_cancelled(target, seen):
        return Action.NOT_FOUND, "the attendee is not in this appointment"
    if left_out := why_left_out(seen.start, rules):
        return Action.SKIP, left_out
    return _of_an_active_one(target, request, seen)


def _of_an_active_one(target: Target, request: Request, seen: Appointment) -> tuple[Action, str]:
    if seen.group_booking and target.attendee_id is None and not request.cancel_all:
        return Action.REFUSED, "a group booking: the API wants attendee_id or cancel_all"
    if target.attendee_id is not None and not seen.group_booking:
        return Action.REFUSED, "not a group booking: no attendee can be removed"
    return Action.CANCEL, "would be cancelled" + (", paid: think of a refund" if seen.paid else "")


def why_left_out(start: str | None, rules: Rules) -> str:
    """Return why a rule leaves out an appointment that starts then, a sentence; empty when none does."""
    starts_at = moment_of(start)
    if starts_at is None:
        return ""
    left_s = starts_at - rules.now
    if left_s < 0 and rules.skip_past:
        return f"it started on {_day(starts_at)}: past"
    if 0 <= left_s < rules.late_within_s:
        return f"it starts in {show_duration(left_s)}: too late"
    return ""


def moment_of(text: str | None) -> float | None:
    """Read ISO 8601 as seconds since the epoch; without an offset it is UTC (documented). None when it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _by_whom(seen: Appointment) -> str:
    by = f" by {seen.cancelled_by}" if seen.cancelled_by else ""
    return f"{by} on {_day(seen.cancelled_at)}" if seen.cancelled_at is not None else by


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
