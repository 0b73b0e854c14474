"""Stops all workers while the API as a whole does not answer, so that an outage does not make hundreds of unknowns."""

from __future__ import annotations

import anyio

from bulk_cancel.api.port import Line, Query
from bulk_cancel.core.outcome import Kind
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.context import Context
from bulk_cancel.engine.health import Asked
from bulk_cancel.errors import Exit

#: Number of consecutive cancels, or reads, without an answer, over all workers, after which all wait.
_TROUBLES = 5
#: Number of answers to cancels, in a row, that the API does not give: then the run halts.
_UNHEARD_OF = 3
#: Seconds between two probes, at first and at most, and after which the run gives up.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _PATIENCE_S = 5.0, 60.0, 30 * 60.0


class Breaker:
    """Closed: all workers pass. Open: all wait, and one of them probes with reads. Nonsense halts at once."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._probing = anyio.Lock()
        self.probe = Query(0, page_size=1)

    @property
    def is_open(self) -> bool:
        """Whether the API is believed to be in trouble."""
        return self.context.health.troubles >= _TROUBLES

    def note(self, kind: Kind) -> None:
        """Note the outcome of any worker's cancel. (The context notes the outcomes of reads.)"""
        self.context.health.note(Asked.CANCEL, kind)
        if self.context.health.unheard_of >= _UNHEARD_OF:
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
        context, began, pause_s = self.context, self.context.clock.monotonic(), _FIRST_PAUSE_S
        context.log.warning("breaker.open", troubles=context.health.troubles, patience_s=_PATIENCE_S)
        while context.clock.monotonic() - began < _PATIENCE_S:
            with context.counters.waiting("until the API is asked again", context.clock.monotonic() + pause_s):
                await anyio.sleep(pause_s)
            page = await context.read_page(line, self.probe)
            if page is not None and page.appointments is not None:
                context.health.recovered()
                context.log.info("breaker.closed")
                return
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
        context.halt(Exit.STOPPED, f"The API was in trouble for {show_duration(_PATIENCE_S)}.")
