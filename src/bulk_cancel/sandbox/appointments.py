"""The changing side of the world: what each appointment is now, what it was before, and what is still to happen.

A cancel that is to take effect late is kept here and carried out by the first look at the book after it is due.
No timer is needed, and a test that injects the clock decides when "later" is.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import count

from bulk_cancel.sandbox.world import Appointment, World


class Book:
    """The present state of all appointments, with counts of what was done to them."""

    def __init__(self, world: World, now: Callable[[], float]) -> None:
        self._now = now
        self._present = dict(world.appointments)
        self._changes: dict[str, tuple[Appointment, float]] = {}  # before the last change, and when that happened
        self._series: defaultdict[str, list[str]] = defaultdict(list)
        self.late: list[tuple[float, int, Callable[[], object]]] = []  #: when it is due, a number, what is to come
        self._late_numbers = count()
        self._acting_at: float | None = None
        self.applied: Counter[str] = Counter()
        self.taken_along: Counter[str] = Counter()
        self.mails: Counter[str] = Counter()
        for appointment in self._present.values():
            if appointment.series_id:
                self._series[appointment.series_id].append(appointment.id)

    def find(self, id_: str, *, stale_s: float = 0.0) -> Appointment | None:
        """Return the appointment; with `stale_s`, as a replica that lags by that many seconds shows it."""
        self.settle()
        appointment = self._present.get(id_)
        return self._as_of(appointment, stale_s) if appointment else None

    def everything(self, *, stale_s: float = 0.0) -> Iterable[Appointment]:
        """Return all appointments, as they are now or as a lagging replica shows them."""
        self.settle()
        if not stale_s:
            return self._present.values()
        return [self._as_of(appointment, stale_s) for appointment in self._present.values()]

    def siblings(self, appointment: Appointment) -> list[Appointment]:
        """Return the other occurrences of its series."""
        ids = self._series.get(appointment.series_id or "", [])
        return [self._present[id_] for id_ in ids if id_ != appointment.id]

    def replace(self, changed: Appointment) -> None:
        """Store the new state of an appointment. A late change counts from when it was due, not when it was seen."""
        at = self._now() if self._acting_at is None else self._acting_at
        self._changes[changed.id] = (self._present[changed.id], at)
        self._present[changed.id] = changed

    def count_effect(self, appointment_id: str, attendee_id: str | None = None) -> None:
        """Note that a cancel took effect on this target and that its people got mails."""
        self.applied[f"{appointment_id}/{attendee_id}" if attendee_id else appointment_id] += 1
        self.mails[appointment_id] += 1

    def later(self, delay_s: float, action: Callable[[], object]) -> None:
        """Carry out the action after `delay_s` seconds."""
        heapq.heappush(self.late, (self._now() + delay_s, next(self._late_numbers), action))

    def settle(self) -> None:
        """Carry out everything that is due."""
        while self.late and self.late[0][0] <= self._now():
            self._acting_at, _, action = heapq.heappop(self.late)
            action()
            self._acting_at = None

    def _as_of(self, appointment: Appointment, stale_s: float) -> Appointment:
        before, changed_at = self._changes.get(appointment.id, (appointment, 0.0))
        return before if self._now() - changed_at < stale_s else appointment
