"""What is to be done with a target, decided by one function from a reading of its appointment.

Plan, run, the comparison with an approved plan and series all ask `decide`. A decision to send rests on a fresh reading
or on none; a reading that shows that nothing is to be sent may be of any age, since nothing undoes a cancellation.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import NamedTuple

from bulk_cancel.core.model import Appointment, Request, Target
from bulk_cancel.core.moments import Zone, moment_of, show_moment
from bulk_cancel.core.outcome import CACHED, ONE_OCCURRENCE
from bulk_cancel.core.readings import Reading, ReadResult, Source, see
from bulk_cancel.core.units import show_duration


class Action(StrEnum):
    """What a run would do with a row."""

    CANCEL = "cancel"  #: send it
    READ_FIRST = "read_first"  #: a reading, or a newer one, is needed before anything is decided
    NOTHING = "nothing"  #: the ledger knows it as settled
    SAME = "same"  #: an earlier row names the same target
    ALREADY_CANCELLED = "already_cancelled"  #: a reading shows it cancelled
    NOT_FOUND = "not_found"  #: a read finds no such appointment, or no such attendee in it
    REFUSED = "refused"  #: the API would refuse it
    SKIP = "skip"  #: a rule leaves it out
    INVALID = "invalid"  #: the row cannot be sent


#: Actions of an approved plan whose targets a run may send.
SENT = (Action.CANCEL, Action.READ_FIRST)


class Look(StrEnum):
    """Which appointments a plan and a run read before anything is decided."""

    AUTO = "auto"  #: by pages of the list, and singly where that costs no time
    EACH = "each"  #: every one, right before its cancel
    NEVER = "never"  #: only those that must be read


class Decision(NamedTuple):
    """What is to be done with a target, and why."""

    action: Action
    why: str  #: a clause for people
    is_change: bool = False  #: the appointment differs from what was approved: a person has to look at it


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is known of a target before it is read. None: not known."""

    start: str | None = None  #: ISO 8601, as in the approved plan: another one is a change
    host_ids: tuple[str, ...] | None = None  #: as in the approved plan: others are a change
    attendee_ids: tuple[str, ...] | None = None  #: as in the approved plan: others are a change
    last_start: str | None = None  #: as the ledger knows it; it may have moved, so it only tells that a read is due
    attended: bool = False  #: a reading showed the target's attendee in the appointment
    must_be_read: bool = False  #: another cancel may have included it, it was refused once, or a person decided
    is_looked_at: bool = False  #: the run reads every row
    is_cancelled: bool = (
        False  #: the ledger knows the whole appointment as cancelled, even if a replica shows it active
    )


@dataclass(frozen=True, slots=True)
class SkipRules:
    """Which appointments are skipped although they could be cancelled. Durations in seconds."""

    now: float  #: seconds since the epoch
    skip_past: bool = True
    late_within_s: float = 0.0  #: skip what starts within this time: people are on their way
    at: float = 0.0  #: now, on the clock of `Reading.taken_at`
    zone: Zone = UTC  #: in which the sentences for people tell times


@dataclass(frozen=True, slots=True)
class Approved:
    """What an approved plan says of a target."""

    action: Action
    why: str
    seen: Expectation = Expectation()  #: the appointment as it was when the plan was made
    is_for_a_group: bool = False  #: everyone in a group is meant, as a reading has shown


NOTHING_EXPECTED = Expectation()
_NEWER = "the last reading is too old to send by: it is read again before anything is sent"


def decide(
    target: Target, request: Request, reading: Reading | None, expected: Expectation, rules: SkipRules
) -> Decision:
    """Return what is to be done with a sendable target, and why.

    The action is one of CANCEL, SKIP, ALREADY_CANCELLED, NOT_FOUND, REFUSED and READ_FIRST. `reading` is None when the
    appointment was not read yet. A single GET that proves nothing ends in REFUSED: another GET would prove no more.
    """
    if reading is None:
        return _unread(target, expected, rules)
    sight = see(target, reading, attended=expected.attended)
    if final := _needs_no_cancel(sight, reading, rules.zone):
        return final
    if expected.is_cancelled:
        return _known_as_cancelled(target)
    if not reading.is_fresh(rules.at):
        return Decision(Action.READ_FIRST, _why_old(target, reading, expected))
    if sight is not ReadResult.ACTIVE or reading.appointment is None:
        return _untold(target, reading)
    if reading.source is Source.PAGE and _says_too_little(expected, reading.appointment):
        return Decision(
            Action.READ_FIRST, "the list does not say what was approved: it is read before anything is sent"
        )
    if changed := why_changed(expected, reading.appointment, rules.zone):
        return Decision(Action.SKIP, changed, is_change=True)
    if left_out := why_left_out(reading.appointment.start, rules):
        return Decision(Action.SKIP, left_out)
    return _of_an_active_one(target, request, reading.appointment)


def _why_old(target: Target, reading: Reading, expected: Expectation) -> str:
    """Return why a reading is too old to send by; reading again does not help where a cache answers."""
    if not reading.is_cached:
        return _NEWER
    may_go_unread = not expected.must_be_read and (target.attendee_id is None or expected.attended)
    return f"{CACHED}{', or run with --look never, which sends without reading first' if may_go_unread else ''}"


def _unread(target: Target, expected: Expectation, rules: SkipRules) -> Decision:
    if expected.must_be_read or expected.is_looked_at or expected.is_cancelled:
        return Decision(Action.READ_FIRST, "it is read before anything is sent")
    if target.attendee_id is not None and not expected.attended:
        return Decision(
            Action.READ_FIRST, "no reading has shown the attendee in it: it is read before anything is sent"
        )
    if left_out := why_left_out(expected.start or expected.last_start, rules):
        return Decision(Action.READ_FIRST, f"when last seen, {left_out}: it is read before anything is decided")
    return Decision(Action.CANCEL, "to be cancelled")


def _needs_no_cancel(sight: ReadResult, reading: Reading, zone: Zone) -> Decision | None:
    match sight:
        case ReadResult.CANCELLED:
            return Decision(Action.ALREADY_CANCELLED, _cancelled_how(reading.appointment, zone))
        case ReadResult.MISSING:
            return Decision(Action.NOT_FOUND, "the API knows no such appointment")
        case ReadResult.ABSENT:
            return Decision(Action.NOT_FOUND, "the attendee is not in this appointment")
        case ReadResult.ONE_OCCURRENCE:
            return Decision(Action.REFUSED, ONE_OCCURRENCE)
    return None


def _known_as_cancelled(target: Target) -> Decision:
    """Decide by the ledger alone: nothing undoes a cancellation, so a reading that shows it active is outdated."""
    if target.entire_series:
        return Decision(Action.REFUSED, ONE_OCCURRENCE)
    return Decision(Action.ALREADY_CANCELLED, "the whole appointment is cancelled, as the ledger knows")


def _cancelled_how(seen: Appointment | None, zone: Zone) -> str:
    if seen is None or not seen.is_cancelled:
        return "the attendee was removed already"
    by = f" by {seen.cancelled_by}" if seen.cancelled_by else ""
    when = f" on {show_moment(seen.cancelled_at, zone)}" if seen.cancelled_at is not None else ""
    return f"already cancelled{by}{when}"


def _untold(target: Target, reading: Reading) -> Decision:
    """Decide by a reading that proves nothing. A list may shorten its entries, so the appointment itself is read."""
    if reading.source is Source.PAGE:
        return Decision(Action.READ_FIRST, "the list says too little of it: it is read before anything is sent")
    if reading.refusal:
        return Decision(Action.REFUSED, f"not sent: {reading.refusal}")
    is_silent = reading.appointment is None or reading.appointment.is_cancelled is None
    what = "whether it is cancelled" if is_silent or target.attendee_id is None else "who attends it"
    return Decision(Action.REFUSED, f"not sent: the API does not say {what}; look it up in meetergo")


def _of_an_active_one(target: Target, request: Request, seen: Appointment) -> Decision:
    """Decide by what the document of an active appointment says; what it leaves open, the API may refuse."""
    if seen.group_booking and target.attendee_id is None and not request.cancel_all:
        return Decision(Action.REFUSED, "a group booking: the API wants attendee_id or cancel_all")
    if target.attendee_id is not None and seen.group_booking is False:
        return Decision(Action.REFUSED, "not a group booking: no attendee can be removed")
    return Decision(Action.CANCEL, "would be cancelled" + (", paid: think of a refund" if seen.paid else ""))


def why_changed(expected: Expectation, seen: Appointment, zone: Zone) -> str:
    """Return how the appointment differs from the plan, a clause with times in `zone`; empty when it does not.

    A field that the reading does not have counts as unchanged; of attendees without ids their number counts.
    """
    if expected.start is not None and seen.start is not None and not _same_moment(expected.start, seen.start):
        return f"rescheduled from {show_moment(expected.start, zone)} to {show_moment(seen.start, zone)}"
    if _differ(expected.host_ids, seen.host_ids):
        return "other hosts than planned"
    return "other attendees than planned" if _has_other_attendees(expected.attendee_ids, seen) else ""


def _has_other_attendees(planned: Collection[str] | None, seen: Appointment) -> bool:
    if planned is not None and seen.attendee_ids is None and seen.attendee_count is not None:
        return len({*planned}) != seen.attendee_count
    return _differ(planned, seen.attendee_ids)


def _says_too_little(expected: Expectation, seen: Appointment) -> bool:
    """Whether a reading leaves open what an approval rests on."""
    pairs = (
        (expected.start, seen.start),
        (expected.host_ids, seen.host_ids),
        (expected.attendee_ids, seen.attendee_ids),
    )
    return any(planned is not None and shown is None for planned, shown in pairs)


def _differ(planned: Collection[str] | None, seen: Collection[str] | None) -> bool:
    return planned is not None and seen is not None and {*planned} != {*seen}


def _same_moment(planned: str, start: str) -> bool:
    moment = moment_of(planned)
    return planned == start if moment is None else moment == moment_of(start)


def why_left_out(start: str | None, rules: SkipRules) -> str:
    """Return why a rule skips an appointment that starts at `start`, a clause; empty when none does."""
    starts_at = moment_of(start)
    if starts_at is None:
        return ""
    left_s = starts_at - rules.now
    if left_s < 0 and rules.skip_past:
        return f"it started on {show_moment(starts_at, rules.zone)}: past"
    if 0 <= left_s < rules.late_within_s:
        return f"it starts in {show_duration(left_s)}: too late"
    return ""
