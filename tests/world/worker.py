"""One life of a worker: frozen, thawed, killed, or told to stop, at any await and at any call of the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel

from bulk_cancel.cluster.worker import Worker
from world.api import Departure
from world.process import Process

if TYPE_CHECKING:
    from world.workers import Fleet

T = TypeVar("T")


@dataclass
class WorkerProcess(Process):
    """One life of a worker."""

    fleet: Fleet = None  # type: ignore[assignment]
    name: str = ""  #: of its place: who starts again there has the same
    is_frozen: bool = False
    is_stopping: bool = False
    worker: Worker | None = None
    kept: list[asyncio.Handle] = field(default_factory=list)  #: what waits until it is thawed
    at_work: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def lets(self, handle: asyncio.Handle) -> bool:
        """Whether what is ready may run now."""
        if not self.is_alive:
            return False
        if self.is_frozen:
            self.kept.append(handle)
            return False
        self.turns += 1
        if self.api.calm:
            return True
        if self.turns == self._kill_turn:
            self.die()
            return False
        if self.turns == self._freeze_turn:
            self._freeze()
            self.kept.append(handle)
            return False
        if self.turns == self._signal_turn:
            handle._context.run(self.stop)  # type: ignore[attr-defined]
        return True

    def stop(self) -> None:
        """SIGTERM. Call it in the context of the worker: what it sets going then dies and freezes with the worker."""
        self._happens("worker told to stop", self.name)
        self.is_stopping = True
        if self.worker is not None:
            self.worker.stop("The worker was stopped by SIGTERM.")

    def die(self) -> None:
        self._happens("worker killed", self.name)
        self.is_alive = False
        self.fleet.buried(self)

    def _freeze(self) -> None:
        self._happens("worker frozen", self.name, self._stands_s)
        self.is_frozen = True
        self.host.clock.at(self.host.clock.now + self._stands_s, self._thaw)

    def _thaw(self) -> None:
        if self.is_alive:
            self.api.note("machine", "worker thawed", self.name)
            self.is_frozen = False
            self.fleet.go_on(self.kept)

    async def _off_loop(self, function: Callable[..., T], *arguments: Any) -> T:
        await anyio.lowlevel.checkpoint()
        takes_s = self.takes_s()
        with anyio.CancelScope(shield=True):
            await asyncio.sleep(takes_s / 2)
            self._writes += 1
            kills = self._writes == self._kill_write and not self.api.calm
            if self.freezes_now(arguments[1] if len(arguments) > 1 and isinstance(arguments[1], list) else ()):
                self._freeze()
            if kills and self.rng.random() < 0.4:
                await self._ends()
            result = function(*arguments)
            if kills:
                await self._ends()
            await asyncio.sleep(takes_s / 2)
        return result

    def depart(self, began: float, *about: Any) -> Departure:
        departure = super().depart(began, *about)
        self.fleet.rules.departs(departure)
        return departure

    async def _ends(self) -> None:
        self.die()
        await anyio.sleep_forever()

    def answered(self, departure: Any, answer: Any, target: Any, began: float) -> None:
        super().answered(departure, answer, target, began)
        self.cancels.clear()
