"""What is true of the appointments, at every moment, and who made it so. The program sees what the API shows of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bulk_cancel.core.model import Appointment, Contact
from world.queue import EPOCH, WorldClock

#: Whoever finds this in a file, a log or a ledger has found something private.
CANARY = "canary-Zx81"


#: Whose the appointments are, unless said otherwise, and another one.
HOST, OTHER_HOST = "00000000-0000-4000-8000-00000000aaaa", "00000000-0000-4000-8000-00000000bbbb"


@dataclass(frozen=True, slots=True)
class Effect:
    """One cancel that took effect: it was mailed to everybody in the appointment."""

    at: float
    appointment_id: str
    attendee_id: str | None
    post: int | None  #: the number of the request that caused it; None: a colleague


@dataclass
class Meeting:
    """One appointment as it really is, with every version that it ever had."""

    appointment_id: str
    starts_at: float
    attendees: tuple[str, ...]
    is_group: bool
    hosts: tuple[str, ...] = (HOST,)
    series: int | None = None
    exists: bool = True
    cancelled_at: float | None = None
    cancelled_by: str = ""
    removed: dict[str, float] = field(default_factory=dict)
    deleted_at: float | None = None
    hidden_at: float | None = None  #: since then our credential may not see or cancel it
    moved_at: float | None = None  #: when it was last rescheduled or handed over
    forgets: bool = False  #: documents do not show who was removed
    versions: list[tuple[float, Appointment]] = field(default_factory=list)

    def is_gone(self) -> bool:
        """Whether nothing is left to cancel."""
        return not self.exists or self.cancelled_at is not None or self.deleted_at is not None

    def gone_since(self, attendee_id: str | None) -> float | None:
        """Return since when a target is gone, whoever made it so; None while it is active."""
        moments = [self.cancelled_at, self.deleted_at, self.removed.get(attendee_id or "")]
        return min((at for at in moments if at is not None), default=None)

    def document(self) -> Appointment:
        """Return what a true and full document says now."""
        cancelled = self.cancelled_at if self.cancelled_at is not None else self.deleted_at
        left = [name for name in self.attendees if name not in self.removed]
        return Appointment(
            self.appointment_id,
            cancelled is not None,
            cancelled_at=None if cancelled is None else EPOCH + cancelled,
            cancelled_by=self.cancelled_by or None,
            attendee_ids=frozenset(left),
            attendee_count=len(left),
            removed_ids=frozenset(() if self.forgets else self.removed),
            start=iso(self.starts_at),
            end=iso(self.starts_at + 1800),
            company_id="00000000-0000-4000-8000-00000000cccc",
            host_ids=self.hosts,
            group_booking=self.is_group,
            contacts=tuple(Contact(name, CANARY, f"{CANARY}@example.org", "") for name in left),
        )

    def as_of(self, at: float) -> Appointment:
        """Return the document of an earlier moment; the first one for moments before it."""
        place = bisect_right(self.versions, at, key=lambda version: version[0])
        return self.versions[max(0, place - 1)][1]


def iso(at: float) -> str:
    """Return a moment of true time as the API writes it."""
    return datetime.fromtimestamp(EPOCH + at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass
class Truth:
    """All appointments, and every effect."""

    clock: WorldClock
    meetings: dict[str, Meeting] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    forgets: bool = False  #: documents do not show who was removed
    repeats: bool = True  #: a second cancel takes effect and mails again; else it is refused

    def add(self, meeting: Meeting) -> None:
        """Put an appointment in."""
        meeting.forgets = self.forgets
        meeting.versions.append((float("-inf"), meeting.document()))
        self.meetings[meeting.appointment_id] = meeting

    def changed(self, meeting: Meeting) -> None:
        """Keep a version after a change."""
        meeting.versions.append((self.clock.now, meeting.document()))

    def apply(self, appointment_id: str, attendee_id: str | None, post: int | None, by: str = "api") -> None:
        """Let one cancel of one appointment or attendee take effect now. A repeated one changes nothing but mails."""
        meeting, now = self.meetings[appointment_id], self.clock.now
        if meeting.gone_since(attendee_id) is None:
            if attendee_id is not None:
                meeting.removed[attendee_id] = now
            else:
                meeting.cancelled_at, meeting.cancelled_by = now, by
            self.changed(meeting)
        self.effects.append(Effect(now, appointment_id, attendee_id, post))

    def siblings(self, first: Meeting) -> Iterator[Meeting]:
        """Yield the occurrences that a series cancel takes along: the later ones that are still active."""
        for meeting in self.meetings.values():
            later = meeting.series == first.series and meeting.starts_at > first.starts_at
            if first.series is not None and later and not meeting.is_gone():
                yield meeting
