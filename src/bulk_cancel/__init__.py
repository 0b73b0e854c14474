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

#: The module of each name.
_HOMES = {
    "Action": "core.actions",
    "BulkCancelError": "errors",
    "DeclinedError": "errors",
    "Exit": "errors",
    "Job": "settings.job",
    "PlanResult": "library.results",
    "PlannedRow": "library.results",
    "Requests": "reports.summary",
    "Seen": "library.results",
    "State": "core.states",
    "Status": "core.model",
    "Stop": "ops.stop_request",
    "Summary": "reports.summary",
    "load_job": "settings.job",
    "plan": "library.calls",
    "plan_async": "library.awaited",
    "reconcile": "library.calls",
    "reconcile_async": "library.awaited",
    "run": "library.calls",
    "run_async": "library.awaited",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(f"{__name__}.ops.platforms").refuse_windows()  # before modules that Windows lacks are imported
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
