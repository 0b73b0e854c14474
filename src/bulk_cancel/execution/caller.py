"""The caller of a command, and what it provides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


from bulk_cancel.access.machine import Machine
from bulk_cancel.core.plan import Plan
from bulk_cancel.ops.progress import Display
from bulk_cancel.ops.stop_request import Stop


@dataclass(frozen=True, slots=True)
class Caller:
    """What the command line, or a program, provides: machine, log, display, approval and stop."""

    machine: Machine
    log: FilteringBoundLogger
    display: Display
    approve: Callable[[Plan], bool] = lambda _: True
    stop: Stop = field(default_factory=Stop)
    leave: Callable[[], bool] = lambda: True  #: whether workers continue a run that is no longer watched
