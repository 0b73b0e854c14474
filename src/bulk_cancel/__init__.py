"""bulk-cancel: cancel many meetergo appointments, safely.

What programs may use is listed in `__all__` and described in docs/python.md. Importing does nothing: each name is
fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulk_cancel.core.actions import Action
    from bulk_cancel.core.model import Status
    from bulk_cancel.core.states import State
    from bulk_cancel.errors import BulkCancelError, DeclinedError, Exit
    from bulk_cancel.library.awaited import plan_async, reconcile_async, run_async
    from bulk_cancel.library.calls import plan, reconcile, run
    from bulk_cancel.library.results import PlannedRow, PlanResult, Seen
    from bulk_cancel.ops.stop_request import Stop
    from bulk_cancel.reports.summary import Requests, Summary
    from bulk_cancel.settings.job import Job, load_job

__all__ = [
    "Action",
    "BulkCancelError",
    "DeclinedError",
    "Exit",
    "Job",
    "PlanResult",
    "PlannedRow",
    "Requests",
    "Seen",
    "State",
    "Status",
    "Stop",
    "Summary",
    "load_job",
    "plan",
    "plan_async",
    "reconcile",
    "reconcile_async",
    "run",
    "run_async",
]

#: Where the names are that do not come from `calling`.
_HOMES = {
    "Action": "core.foresight",
    "BulkCancelError": "errors",
    "DeclinedError": "carrying",
    "Exit": "errors",
    "Job": "job",
    "Requests": "reports.summary",
    "State": "core.states",
    "Status": "core.model",
    "Stop": "ops.stopping",
    "Summary": "reports.summary",
    "load_job": "job",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'calling')}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
