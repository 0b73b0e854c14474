"""Time as a value: a wall clock that cannot jump within a run, and ages that survive a jump between two runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeBase:
    """How a process relates the monotonic clock to the wall clock, fixed at its start.

    `boot_id` names the boot of the machine within which the monotonic clock is comparable; None where it is not known.
    """

    boot_id: str | None
    offset_s: float  #: wall clock minus monotonic clock

    def wall(self, mono: float) -> float:
        """Translate a monotonic time into seconds since the epoch."""
        return mono + self.offset_s

    def age_s(self, at: float, recorded: TimeBase, mono: float) -> float:
        """Return how old the moment `at` is, written under the time base `recorded`, at the monotonic time `mono`.

        On the same boot only the monotonic clock counts, so that a wall clock that was set in between changes no
        decision. Of a moment before this boot only so much is certain: it is as old as the boot, which is when the
        monotonic clock began; the wall clock may make it younger, never older. Where boots are not known the wall clock
        is all there is.
        """
        if self.boot_id is None:
            return max(0.0, self.wall(mono) - at)
        if self.boot_id == recorded.boot_id:
            return max(0.0, mono - (at - recorded.offset_s))
        return max(0.0, min(mono, self.wall(mono) - at))


@dataclass(frozen=True, slots=True)
class Past:
    """A moment in a ledger whose age does not hang on a wall clock that was set."""

    at: float  #: seconds since the epoch
    base: TimeBase | None  #: under which it was written; None: the ledger's own clock tells the age
    known_age_s: float = 0.0  #: at the read; counts only where there is no base
    settle_s: float = 0.0  #: of the run that wrote it

    def age_s(self, base: TimeBase, mono: float) -> float:
        """Return how old it is at least, at the monotonic time `mono`."""
        return self.known_age_s if self.base is None else base.age_s(self.at, self.base, mono)


@dataclass(frozen=True, slots=True)
class PaceRecord:
    """The limiter's state as the ledger keeps it: the TAT on both clocks."""

    tat_at: float
    tat_mono: float
    boot_id: str | None

    def tat(self, base: TimeBase, mono: float, longest_s: float) -> float:
        """Return the TAT on this process's monotonic clock.

        Where only the wall clock relates the two, which may have been set, it is at most `longest_s` ahead of `mono`.
        """
        if base.boot_id is not None and base.boot_id == self.boot_id:
            return self.tat_mono
        return min(self.tat_at - base.offset_s, mono + longest_s)
