"""An estimate of when a run ends, in view of the hours in which cancels may be sent, and of a pause."""

from __future__ import annotations

from dataclasses import dataclass

from bulk_cancel.core.moments import Zone, show_hour
from bulk_cancel.core.retry import show_long_pause
from bulk_cancel.core.window import SendWindow

#: A run that takes fewer seconds is not told its end.
_SHORTEST_TOLD_S = 55.0


@dataclass(frozen=True, slots=True)
class Hours:
    """When cancels may be sent, and in which zone it is told."""

    window: SendWindow | None = None
    waits: bool = True  #: outside of the window a run waits; False: it stops
    zone: Zone = None
    paused_s: float = 0.0  #: seconds until the limit allows a request: the API asked for a pause, or it is used up
    stops: bool = False  #: the pause is too long for a run to wait

    def outlook(self, now: float, needs_s: float) -> str:
        """Say when a run of `needs_s` seconds ends that starts at `now` (epoch); empty when it ends within a minute."""
        if self.stops:
            return show_long_pause(self.paused_s)
        begins_at = now + self.paused_s
        opens = self._opening(begins_at, now)
        if opens and not self.waits:
            return f"{opens}: until then a run sends nothing."
        if self.paused_s + needs_s < _SHORTEST_TOLD_S and not opens:
            return ""
        ends_at = self.window.ends_at(begins_at, needs_s) if self.window and self.waits else begins_at + needs_s
        ends = "in more than a month" if ends_at is None else f"about {show_hour(ends_at, now, self.zone)}"
        return f"{opens}, and it ends {ends}." if opens else f"It ends {ends}."

    def _opening(self, begins_at: float, now: float) -> str:
        wait_s = self.window.wait_s(begins_at) if self.window else 0.0
        return f"The send window opens at {show_hour(begins_at + wait_s, now, self.zone)}" if wait_s else ""
