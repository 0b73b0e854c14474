"""The appointments of the sandbox: plain data, the same for the same seed, start times relative to a given moment.

Every name, address and secret of an attendee or an appointment contains `CANARY`, so that a test can search
everything a run wrote for this one word.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bulk_cancel.sandbox.people import CHECK_UP, COLLEAGUE, CONSULTATION, HOST, OWNER, WORKSHOP, MeetingType, made_id

CANARY = "zaunkoenig"
OCCURRENCES_PER_SERIES = 4
_PLACES = (("Berlin office", "local"), ("Hamburg office", "local"), ("Online", "video"))
_DURATION = timedelta(minutes=30)


class Kind(StrEnum):
    """What is special about an appointment."""

    SINGLE = "single"
    GROUP = "group"
    SERIES = "series"
    PAID = "paid"
    PAST = "past"
    CANCELLED = "cancelled"
    OTHER_HOST = "other-host"
    COHOSTED = "cohosted"
    SYNC_ERROR = "sync-error"


_SHARES = {
    Kind.SINGLE: 62,
    Kind.GROUP: 8,
    Kind.SERIES: 8,
    Kind.PAID: 5,
    Kind.PAST: 5,
    Kind.CANCELLED: 4,
    Kind.OTHER_HOST: 3,
    Kind.COHOSTED: 3,
    Kind.SYNC_ERROR: 2,
}
_HOSTS = {Kind.OTHER_HOST: (HOST.id,), Kind.COHOSTED: (OWNER.id, HOST.id, COLLEAGUE.id)}


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Who cancelled an appointment, when and why."""

    at: datetime
    by: str
    source: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Appointment:
    """One appointment. `series_id` ties occurrences together; no answer of the API shows it."""

    id: str
    kind: Kind
    start: datetime
    host_ids: tuple[str, ...]
    meeting_type: MeetingType
    location: str
    channel: str
    attendee_ids: tuple[str, ...]
    created_at: datetime
    series_id: str | None = None
    cancellation: Cancellation | None = None
    after_effects: tuple[str, ...] = ()

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.start + _DURATION

    @property
    def group(self) -> bool:
        """Whether it is a group booking."""
        return self.kind is Kind.GROUP

    @property
    def paid(self) -> bool:
        """Whether it has a payment."""
        return self.kind is Kind.PAID


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one appointment should be: its kind, and its own ids where they matter."""

    kind: Kind = Kind.SINGLE
    id: str | None = None
    attendee_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """All appointments by id, and the moment they are arranged around."""

    appointments: dict[str, Appointment] = field(repr=False)
    now: datetime

    @staticmethod
    def generate(count: int, seed: int, now: datetime | None = None) -> World:
        """A mixture of all kinds, mostly single appointments."""
        rng = random.Random(seed)  # noqa: S311  repeatable on purpose
        kinds = rng.choices(tuple(_SHARES), tuple(_SHARES.values()), k=count)
        return World.of((Wanted(kind) for kind in kinds), seed, now)

    @staticmethod
    def of(wanted: Iterable[Wanted], seed: int = 1, now: datetime | None = None) -> World:
        """Exactly these appointments, in this order."""
        now = now or datetime.now(UTC)
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        maker = _Maker(seed, now, midnight)
        made = (maker.make(index, each) for index, each in enumerate(wanted))
        return World({appointment.id: appointment for appointment in made}, now)


@dataclass(slots=True)
class _Maker:
    seed: int
    now: datetime
    midnight: datetime
    occurrences: int = 0

    def make(self, index: int, wanted: Wanted) -> Appointment:
        rng = random.Random(f"{self.seed}/{index}")  # noqa: S311  repeatable on purpose
        id_ = wanted.id or made_id(f"{self.seed}/appointment/{index}")
        location, channel = rng.choice(_PLACES)
        plain = Appointment(
            id=id_,
            kind=wanted.kind,
            start=self._slot(rng),
            host_ids=_HOSTS.get(wanted.kind, (OWNER.id,)),
            meeting_type=WORKSHOP if wanted.kind is Kind.GROUP else rng.choice((CONSULTATION, CHECK_UP)),
            location=location,
            channel=channel,
            attendee_ids=wanted.attendee_ids
            or _attendee_ids(id_, rng.randint(2, 5) if wanted.kind is Kind.GROUP else 1),
            created_at=self.now - timedelta(days=15, minutes=rng.randrange(100_000)),
        )
        return self._special(plain, rng)

    def _special(self, plain: Appointment, rng: random.Random) -> Appointment:
        match plain.kind:
            case Kind.PAST:
                return replace(plain, start=plain.start - timedelta(days=15))
            case Kind.SERIES:
                return self._occurrence(plain)
            case Kind.CANCELLED:
                at = self.now - timedelta(hours=rng.randint(1, 200))
                return replace(plain, cancellation=Cancellation(at, COLLEAGUE.id, "host", "cancelled earlier"))
            case _:
                return plain

    def _occurrence(self, plain: Appointment) -> Appointment:
        series, position = divmod(self.occurrences, OCCURRENCES_PER_SERIES)
        self.occurrences += 1
        first = self._slot(random.Random(f"{self.seed}/series/{series}"))  # noqa: S311  repeatable on purpose
        return replace(
            plain,
            series_id=f"{self.seed}/series/{series}",
            start=first + timedelta(weeks=position),
            meeting_type=CHECK_UP,
        )

    def _slot(self, rng: random.Random) -> datetime:
        return self.midnight + timedelta(days=rng.randint(1, 14), hours=rng.randint(7, 16), minutes=rng.choice((0, 30)))


def _attendee_ids(appointment_id: str, count: int) -> tuple[str, ...]:
    return tuple(made_id(f"{appointment_id}/attendee/{number}") for number in range(count))
