"""Stops all workers while the API as a whole does not answer, so that an outage does not make hundreds of unknowns."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from bulk_cancel.api.port import Line, Query
from bulk_cancel.core.outcome import Kind
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.context import Context
from bulk_cancel.engine.health import Asked
from bulk_cancel.errors import Exit


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When to pause, when to probe, and when to give up. Durations in seconds."""

    troubles: int = 5  #: consecutive cancels, or reads, without an answer, over all workers
    unheard_of: int = 3  #: answers to cancels that the API does not give, in a row
    first_pause_s: float = 5.0
    longest_pause_s: float = 60.0
    patience_s: float = 30 * 60.0


@dataclass
class Breaker:
    """Closed: all workers pass. Open: all wait, and one of them probes with reads. Nonsense halts at once."""

    context: Context
    limits: BreakerLimits = field(default_factory=BreakerLimits)

    def __post_init__(self) -> None:
        self._probing = anyio.Lock()
        self.probe = Query(0, page_size=1)

    @property
    def is_open(self) -> bool:
        """Whether the API is believed to be in trouble."""
        return self.context.health.troubles >= self.limits.troubles

    def note(self, kind: Kind) -> None:
        """Note the outcome of any worker's cancel. (The context notes the outcomes of reads.)"""
        self.context.health.note(Asked.CANCEL, kind)
        if self.context.health.unheard_of >= self.limits.unheard_of:
            self.context.halt(Exit.STOPPED, self._what_was_heard())

    def _what_was_heard(self) -> str:
        count = self.context.health.unheard_of
        if not self.context.health.shows_others:
            return f"{count} answers in a row were not the API's (a proxy, a portal, a wrong address?)."
        return (
            f"{count} answers in a row did not show their appointments cancelled, also where the API itself answered: "
            "it may carry cancels out later than it answers. Look these appointments up in meetergo first."
        )

    async def passage(self, line: Line) -> None:
        """Return when the API is believed to answer, or the intake has closed."""
        if not self.is_open:
            return
        with self.context.intake.waiting():
            async with self._probing:
                if self.is_open:
                    await self._probe_until_well(line)

    async def _probe_until_well(self, line: Line) -> None:
        context, limits = self.context, self.limits
        began, pause_s = context.clock.monotonic(), limits.first_pause_s
        context.log.warning("breaker.open", troubles=context.health.troubles, patience_s=limits.patience_s)
        while context.clock.monotonic() - began < limits.patience_s:
            with context.counters.waiting("until the API is asked again", context.clock.monotonic() + pause_s):
                await anyio.sleep(pause_s)
            page = await context.read_page(line, self.probe)
            if page is not None and page.appointments is not None:
                context.health.recovered()
                context.log.info("breaker.closed")
                return
            pause_s = min(limits.longest_pause_s, pause_s * 2)
        context.halt(Exit.STOPPED, f"The API was in trouble for {show_duration(limits.patience_s)}.")
