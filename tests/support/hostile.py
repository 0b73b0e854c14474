"""A server at its worst, and the clocks of the machine that talks to it, as plain values for the state machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulk_cancel.core.clock import TimeBase

SETTLE_S = 600.0


@dataclass
class Truth:
    """What the server knows of one appointment. It would happily cancel, and mail, a second time."""

    applied: int = 0  #: cancels of ours that took effect
    cancelled_at: float | None = None
    by_someone_else: bool = False
    arrivals: int = 0
    on_the_way: list[float] = field(default_factory=list)  #: when each cancel that was not answered takes effect

    @property
    def is_cancelled(self) -> bool:
        return self.applied > 0 or self.by_someone_else

    def apply(self, at: float) -> None:
        self.applied += 1
        self.cancelled_at = self.cancelled_at or at


@dataclass
class Clocks:
    """The monotonic clock, the wall clock that people and daemons set, and the boot that tells them apart."""

    mono: float = 1000.0
    wall: float = 1_800_000_000.0
    boot: int = 1

    def base(self) -> TimeBase:
        return TimeBase(f"boot-{self.boot}", self.wall - self.mono)

    def pass_time(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds

    def set_wall(self, seconds: float) -> None:
        """Another process on the same boot will find another wall clock."""
        self.wall += seconds

    def reboot(self) -> None:
        """The monotonic clock begins anew."""
        self.boot += 1
        self.mono = 10.0
