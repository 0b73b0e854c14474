"""`ledger export`: write the ledger's history as lines of JSON."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TextIO

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.core.moments import write_moment

_ALL = 2**31
#: Of what the ledger returns of an event.
_NAMES = ["appointment_id", "attendee_id", "entire_series", "run_id", "event", "attempt", "at", "http_status", "detail"]


def export(place: LedgerPlace, to: TextIO) -> int:
    """Write the whole history as JSON lines: first the beginning of each run, then all events. Return their number."""
    count = 0
    with place.reading() as ledger:
        for run in reversed(ledger.runs(limit=_ALL)):
            about = {"started_at": _time(run.started_at), "source": run.source, "input_digest": run.input_digest}
            to.write(json.dumps({"run_id": run.run_id, "event": "begun", **about, **run.provenance.document()}) + "\n")
            count += 1
        for values in ledger.all_events():
            event = dict(zip(_NAMES, values, strict=True))
            event["entire_series"] = bool(event["entire_series"])
            event["at"] = _time(float(str(event["at"])))
            to.write(json.dumps(event, ensure_ascii=False) + "\n")
            count += 1
    return count


def _time(at: float) -> str:
    return write_moment(at, UTC, "milliseconds")
