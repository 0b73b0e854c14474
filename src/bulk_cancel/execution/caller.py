"""What the caller of a command provides: its machine, a log, a display, approval, a stop."""

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
    """What a command line or a program brings along: its machine, a log, a display, who approves and who stops."""

    machine: Machine
    log: FilteringBoundLogger
    display: Display
    approve: Callable[[Plan], bool] = lambda _: True
    stop: Stop = field(default_factory=Stop)
    leave: Callable[[], bool] = lambda: True  #: whether workers go on with a run that nobody watches any more
