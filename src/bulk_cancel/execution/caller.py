"""What the caller of a command provides: environment, log, display, approval, stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from bulk_cancel.core.plan import Plan
from bulk_cancel.ops.progress import Display
from bulk_cancel.ops.stop_request import Stop


@dataclass(frozen=True, slots=True)
class Caller:
    """What the surroundings provide: the environment, a log, a display, who approves a plan and who stops a run."""

    environ: Mapping[str, str]
    log: FilteringBoundLogger
    display: Display
    approve: Callable[[Plan], bool] = lambda _: True
    stop: Stop = field(default_factory=Stop)
    leave: Callable[[], bool] = lambda: True  #: whether workers go on with a run that nobody watches any more
