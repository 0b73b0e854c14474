"""What tests ask of a sandbox and its world, and what happens there past the API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bulk_cancel.sandbox.instance import Sandbox
from bulk_cancel.sandbox.people import COLLEAGUE
from bulk_cancel.sandbox.record import Truth
from bulk_cancel.sandbox.world import Appointment, Cancellation, Kind, Wanted, World


def single(ids: Iterable[str], seed: int = 1) -> World:
    """Make a world of exactly these appointments, all single."""
    return World.of((Wanted(id=id_) for id_ in ids), seed)


def of_kind(world: World, kind: Kind) -> list[Appointment]:
    """Return the appointments of one kind, in the order in which they were made."""
    return [appointment for appointment in world.appointments.values() if appointment.kind is kind]


def post_count(truth: Truth) -> int:
    """Return the number of cancel requests that were answered or lost in any way."""
    return sum(times for label, times in truth.requests.items() if label.startswith("POST cancel "))


def own_effects(truth: Truth, target: str) -> int:
    """Return the effective cancels of this target, without those by another occurrence's series cancel."""
    return truth.applied.get(target, 0) - truth.taken_along.get(target, 0)


def cancel_elsewhere(sandbox: Sandbox, id_: str) -> None:
    """Have somebody else cancel an appointment, past this API: no effect is counted."""
    with sandbox.lock:
        cancellation = Cancellation(datetime.now(UTC), COLLEAGUE.id, "host", "cancelled elsewhere")
        sandbox.book.replace(replace(sandbox.appointment(id_), cancellation=cancellation))


def reschedule_elsewhere(sandbox: Sandbox, id_: str, by: timedelta) -> None:
    """Have somebody else move an appointment."""
    with sandbox.lock:
        appointment = sandbox.appointment(id_)
        sandbox.book.replace(replace(appointment, start=appointment.start + by))
