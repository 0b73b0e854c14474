"""How a sandbox is set up."""

from __future__ import annotations

from dataclasses import dataclass

from bulk_cancel.sandbox.cancelling import SecondCancel
from bulk_cancel.sandbox.quirks import Quirk
from bulk_cancel.sandbox.world import World


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The settings of a sandbox. The defaults are the documented limit and no faults."""

    count: int = 200  #: number of invented appointments
    seed: int = 1  #: the same seed gives the same appointments and the same faults
    rate_per_s: float = 100 / 60
    burst: int = 200
    faults: str = ""  #: see `faults`
    latency_s: float = 0.0  #: added to every answer
    second_cancel: SecondCancel = "refuse"  #: what a cancel of a cancelled appointment does
    port: int = 0  #: 0 takes a free one
    retry_after: str | None = None  #: the header of every 429, unchanged
    world: World | None = None  #: serve exactly this world; wins over the count
    any_personal_token: bool = False  #: accept any other rgo-… token as the owner's
    pending: int = 0  #: provisional bookings beside the appointments
    quirks: frozenset[Quirk] = frozenset()  #: where this API differs from the documented one

    def __post_init__(self) -> None:
        if self.rate_per_s <= 0 or self.burst < 1:
            raise ValueError("The rate must be above 0 and the burst at least 1.")

    def make_world(self) -> World:
        """Return the world of these settings."""
        return self.world or World.generate(self.count, self.seed)
