"""Everything that a command uses of its machine, as one value, which tests can simulate."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bulk_cancel.access.places import state_folder
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.ops.descriptors import room_for_connections
from bulk_cancel.settings.environment import local_zone

if TYPE_CHECKING:
    from bulk_cancel.api.port import ApiSettings, Line
    from bulk_cancel.core.pacing import Pace
    from bulk_cancel.engine.commits import OffLoop
    from bulk_cancel.engine.limiter import Limiter

T = TypeVar("T")
#: Calls its first argument with the first signal's name, and its second before a second signal ends the process.
WatchSignals = Callable[[Callable[[str], None], Callable[[str], None]], Coroutine[Any, Any, None]]


def _lazily(module: str, name: str) -> Callable[..., Any]:
    """Return a function that calls the one of that name, whose module is imported only then."""
    return lambda *arguments: getattr(import_module(module), name)(*arguments)


_line_factory = _lazily("bulk_cancel.api.client", "line_factory")
_limiter = _lazily("bulk_cancel.engine.limiter", "Limiter")
_in_a_thread = _lazily("anyio.to_thread", "run_sync")
_watch_signals = _lazily("bulk_cancel.ops.signals", "watch_signals")


def _user() -> str:
    """Return the name of the user; in a container without one, the number."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "")


def _run_loop(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Run a function in asyncio's own loop: the transport needs what a host program's loop (uvloop) may lack."""
    import asyncio

    import anyio

    return anyio.run(function, *arguments, backend_options={"loop_factory": asyncio.SelectorEventLoop})


@dataclass(frozen=True, slots=True)
class Machine:
    """Time, randomness, folders, network, threads, signals and event loop; by default the machine's own."""

    environ: Mapping[str, str] = field(repr=False)
    clock: Clock = field(default_factory=system_clock)
    jitter: random.Random = field(default_factory=random.Random)  #: not used for secrets
    arguments: Sequence[str] = ()  #: of the command line; empty: another program uses the library
    user: str = field(default_factory=_user)  #: of the process
    name: str = field(default_factory=platform.node)  #: of this machine
    state_folder: Path = field(default_factory=state_folder)  #: of the user, for this program
    line_factory: Callable[[ApiSettings], Callable[[], Line]] = _line_factory
    room_for_connections: Callable[[], int] = room_for_connections  #: how many may be open at a time
    make_limiter: Callable[[Pace, Clock, float, random.Random], Limiter] = _limiter
    off_loop: OffLoop = _in_a_thread  #: for calls on the ledger while a run is carried out
    watch_signals: WatchSignals = _watch_signals
    run_loop: Callable[..., Any] = _run_loop  #: runs an asynchronous function to its end

    @property
    def zone(self) -> tzinfo:
        """The zone that it is set to. UTC means that the zone of its people is not known."""
        return local_zone(self.environ)

    def new_run_id(self) -> str:
        """Return a name that sorts by time: `20261122-093015-4f1c`. Another run of the same second may have it."""
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        return f"{now:%Y%m%d-%H%M%S}-{self.jitter.getrandbits(16):04x}"
