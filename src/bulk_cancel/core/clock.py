"""Time as a value: a wall clock that cannot jump within a run, and ages that survive a jump between two runs."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds after its intent within which the first byte of a cancel leaves, or none does. A process that was stopped for
#: longer must not send: others may have judged the intent meanwhile.
SEND_WITHIN_S = 15.0


def send_within(settle_s: float) -> float:
    """Return `SEND_WITHIN_S`; less, but at least 2 seconds, where the settle time is short, as with a sandbox."""
    return max(2.0, min(SEND_WITHIN_S, settle_s))


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
        """Return the age in seconds of the moment `at`, written under the time base `recorded`; `mono` is now.

        On the same boot only the monotonic clock counts, so that a wall clock that was set in between changes no
        decision. A moment before this boot is certainly older than the boot, when the monotonic clock began: its age
        is the time since the boot, or less where the wall clock says so. Without boot ids only the wall clock is used.
        """
        if self.boot_id is None:
            return max(0.0, self.wall(mono) - at)
        if self.boot_id == recorded.boot_id:
            return max(0.0, mono - (at - recorded.offset_s))
        return max(0.0, min(mono, self.wall(mono) - at))


@dataclass(frozen=True, slots=True)
class Past:
    """A moment in a ledger whose age does not depend on a wall clock that was set."""

    at: float  #: seconds since the epoch
    base: TimeBase | None  #: under which it was written; None: the ledger's own clock tells the age
    known_age_s: float = 0.0  #: when it was read; used only without a base
    settle_s: float = 0.0  #: of the run that wrote it

    def age_s(self, base: TimeBase, mono: float) -> float:
        """Return its lowest possible age in seconds at the monotonic time `mono`."""
        return self.known_age_s if self.base is None else base.age_s(self.at, self.base, mono)


@dataclass(frozen=True, slots=True)
class PaceRecord:
    """The limiter's state as the ledger keeps it: the TAT on both clocks."""

    tat_at: float
    tat_mono: float
    boot_id: str | None

    def tat(self, base: TimeBase, mono: float, longest_s: float) -> float:
        """Return the TAT on this process's monotonic clock.

        After a reboot only the wall clock relates the two, and it may have been set: then the TAT is at most
        `longest_s` ahead of `mono`.
        """
        if base.boot_id is not None and base.boot_id == self.boot_id:
            return self.tat_mono
        return min(self.tat_at - base.offset_s, mono + longest_s)
