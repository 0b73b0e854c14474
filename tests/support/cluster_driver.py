"""Runs `bulk-cancel` in this process and does something to it at an enumerated point: the seams that workers pass.

The seams are the calls of a PostgreSQL ledger, the cancels of a line and the steps of an exchange. `after intent` and
`after outcome` tell the two kinds of appends apart; `after look` is in the middle of their transaction. What may happen
there, `support.driver` says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from bulk_cancel.api.client import HttpLine
from bulk_cancel.api.failures import Trace
from bulk_cancel.cli.main import main
from bulk_cancel.cluster import worker
from bulk_cancel.core.states import Event
from bulk_cancel.ledger.postgres import PostgresLedger, appending
from support.driver import Points, around, around_async, with_steps

#: When workers look for the chunks of dead ones.
_EVERY_SECOND = "* * * * * *"
_LEDGER = ("take_chunk", "recover", "reserve", "end_chunk", "reopen_chunk", "plan_chunks", "give_back", "end_run")


def play(request: Mapping[str, Any]) -> None:
    """Run the command line of a request, with its points."""
    points = Points(request.get("points", {}), request.get("noted"))
    if points.planned:
        for name in _LEDGER:
            setattr(PostgresLedger, name, around(points, name, getattr(PostgresLedger, name)))
        setattr(PostgresLedger, "append", _told_apart(points, PostgresLedger.append))  # noqa: B010
        setattr(HttpLine, "cancel", around_async(points, "cancel", HttpLine.cancel))  # noqa: B010
        setattr(appending, "_locked", around(points, "look", appending._locked))  # noqa: B010
        Trace.__call__ = with_steps(points, Trace.__call__)  # type: ignore[method-assign]
    worker.RESCUE_EVERY = _EVERY_SECOND
    sys.argv = ["bulk-cancel", *request["argv"]]
    main()


def _told_apart(points: Points, call: Callable[..., None]) -> Callable[..., None]:
    @wraps(call)
    def append(self: PostgresLedger, run_no: int, entries: Any, *paces: Any) -> None:
        seam = "intent" if any(entry.event is Event.INTENT for entry in entries) else "outcome"
        points.passed(f"before {seam}")
        call(self, run_no, entries, *paces)
        points.passed(f"after {seam}")

    return append
