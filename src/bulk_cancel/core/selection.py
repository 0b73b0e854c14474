"""Which appointments a search selects. Every filter is applied here, whether or not the server applies it, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum
from unicodedata import normalize

from bulk_cancel.core.model import Appointment
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.text import clean

#: An appointment that begins at most this long before the first day is found if it reaches into that day.
LEAD = timedelta(days=1)
_DAY = timedelta(days=1)
_LAST_INSTANT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days, both included. A start belongs to the day that it has in the zone.

    A midnight that a clock change skips or repeats has two readings: the bounds take the earlier one for the first day
    and the later one for the last. So they may reach too far, but never too short; `hold` decides exactly.
    """

    first: date
    last: date
    zone: tzinfo

    def bounds(self, lead: timedelta = timedelta()) -> tuple[str, str]:
        """Return the earliest start, `lead` before the first day, and the latest, inclusive, as UTC in ISO 8601."""
        return _iso(self._begin() - lead), _iso(self._end() - _LAST_INSTANT)

    @property
    def begin_at(self) -> float:
        """When the first day begins, seconds since the epoch."""
        return self._begin().timestamp()

    def hold(self, at: float) -> bool:
        """Whether the moment `at`, seconds since the epoch, is in these days."""
        if not self.begin_at <= at < self.end_at:
            return False
        return self.first <= datetime.fromtimestamp(at, self.zone).date() <= self.last

    @property
    def end_at(self) -> float:
        """When the last day ends, seconds since the epoch."""
        return self._end().timestamp()

    def __str__(self) -> str:
        """Return the days for a sentence: `2026-12-24 (Europe/Berlin)`."""
        span = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        return f"{span} ({self.zone})"

    def _begin(self) -> datetime:
        return min(_midnights(self.first, self.zone))

    def _end(self) -> datetime:
        return max(_midnights(self.last + _DAY, self.zone))


def _midnights(day: date, zone: tzinfo) -> list[datetime]:
    """Return the midnight at which a day begins, with the offsets before and after a change of the clocks."""
    return [datetime.combine(day, time(fold=fold), zone).astimezone(UTC) for fold in (0, 1)]


def _iso(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


@dataclass(frozen=True, slots=True)
class Selection:
    """The criteria of a search. None and empty: any."""

    days: Days
    location: str | None = None  #: a part of its location, ignoring case
    host_ids: tuple[str, ...] = ()  #: hosts whose appointments are selected; empty: those of the credential's own user
    all_hosts: bool = False  #: everybody's
    meeting_type_id: str | None = None
    channel: str | None = None  #: its whole channel, ignoring case

    @property
    def narrowing(self) -> str:
        """What narrows it besides days and hosts, a clause: ` with location 'Berlin'`; empty when nothing does."""
        limits = " and ".join(self._limits())
        return f" with {limits}" if limits else ""

    def __str__(self) -> str:
        """Return the whole selection for a sentence: `2026-12-24 (Europe/Berlin), location 'Berlin', all hosts`."""
        hosts = "all hosts" if self.all_hosts else "the credential's own list"
        if self.host_ids and not self.all_hosts:
            hosts = f"{'host' if len(self.host_ids) == 1 else 'hosts'} {', '.join(self.host_ids)}"
        return ", ".join((str(self.days), *self._limits(), hosts))

    def document(self) -> dict[str, object]:
        """Return what narrows the days, for JSON."""
        return {
            "location": self.location,
            "meeting_type_id": self.meeting_type_id,
            "channel": self.channel,
            "host_ids": list(self.host_ids),
            "all_hosts": self.all_hosts,
        }

    def _limits(self) -> Iterator[str]:
        if self.location is not None:
            yield f"location '{clean(self.location)}'"
        if self.meeting_type_id is not None:
            yield f"meeting type {self.meeting_type_id}"
        if self.channel is not None:
            yield f"channel '{clean(self.channel)}'"


class Fit(Enum):
    """How an appointment fits a selection."""

    ACTIVE = "active"  #: it fits
    CANCELLED = "cancelled"  #: it would fit, but is cancelled
    UNREADABLE = "unreadable"  #: it would fit, but its start or end cannot be read
    REACHES_IN = "reaches_in"  #: it would fit, but began before the first day and reaches into it
    OTHER = "other"


def judge(selection: Selection, appointment: Appointment) -> Fit:
    """Decide how an appointment fits a selection."""
    if not _is_meant(selection, appointment):
        return Fit.OTHER
    at = moment_of(appointment.start)
    if at is None:
        return Fit.UNREADABLE
    if not selection.days.hold(at):
        return _judge_end(selection.days, at, appointment)
    return Fit.CANCELLED if appointment.is_cancelled else Fit.ACTIVE


def _judge_end(days: Days, start_at: float, appointment: Appointment) -> Fit:
    """Decide how an appointment fits that does not start on the days: it may begin before and reach into them."""
    if start_at >= days.begin_at or appointment.is_cancelled:
        return Fit.OTHER
    end_at = moment_of(appointment.end)
    if end_at is None:
        return Fit.UNREADABLE if start_at >= days.begin_at - LEAD.total_seconds() else Fit.OTHER
    return Fit.REACHES_IN if end_at > days.begin_at else Fit.OTHER


def _is_meant(selection: Selection, appointment: Appointment) -> bool:
    type_id = (appointment.meeting_type_id or "").lower()
    return (
        (selection.location is None or _folded(selection.location) in _folded(appointment.location))
        and (selection.channel is None or _folded(selection.channel) == _folded(appointment.channel))
        and (selection.meeting_type_id is None or selection.meeting_type_id == type_id)
        and _is_hosted(selection.host_ids, appointment)
    )


def _is_hosted(wanted: tuple[str, ...], appointment: Appointment) -> bool:
    """Return whether a wanted host has the appointment; one without hosts is taken to be of the list it came in."""
    return not wanted or not appointment.host_ids or not set(wanted).isdisjoint(appointment.host_ids)


def _folded(text: str | None) -> str:
    return normalize("NFKC", normalize("NFKC", text or "").casefold())


@dataclass(slots=True)
class Gathering:
    """What a search has found so far: each appointment once, as it was read last."""

    selection: Selection
    found: dict[str, tuple[Fit, Appointment]] = field(default_factory=dict)

    def take(self, appointments: Iterable[Appointment]) -> None:
        """Judge more appointments and keep those that fit."""
        for appointment in appointments:
            fit = judge(self.selection, appointment)
            if fit is Fit.OTHER:
                self.found.pop(appointment.appointment_id, None)
            else:
                self.found[appointment.appointment_id] = (fit, appointment)

    def merge(self, other: Gathering) -> None:
        """Take over what another gathering has found."""
        self.found.update(other.found)

    def count(self, fit: Fit) -> int:
        """Return the number of different appointments that fit like this."""
        return sum(1 for other, _ in self.found.values() if other is fit)

    def chosen(self, *fits: Fit) -> tuple[Appointment, ...]:
        """Return the appointments that fit like this, by start, then by id."""
        chosen = [appointment for fit, appointment in self.found.values() if fit in fits]
        return tuple(sorted(chosen, key=_by_start))


def _by_start(appointment: Appointment) -> tuple[float, str]:
    return moment_of(appointment.start) or 0.0, appointment.appointment_id
