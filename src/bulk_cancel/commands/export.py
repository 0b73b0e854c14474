"""`ledger export`: write the ledger's history as lines of JSON."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TextIO

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.core.moments import write_moment


def export(place: LedgerPlace, to: TextIO) -> int:
    """Write the whole history as JSON lines; return how many."""
    names = (
        "appointment_id",
        "attendee_id",
        "entire_series",
        "run_id",
        "event",
        "attempt",
        "at",
        "http_status",
        "detail",
    )
    count = 0
    with place.reading() as ledger:
        for values in ledger.all_events():
            event = dict(zip(names, values, strict=True))
            event["entire_series"] = bool(event["entire_series"])
            event["at"] = write_moment(float(str(event["at"])), UTC, "milliseconds")
            to.write(json.dumps(event, ensure_ascii=False) + "\n")
            count += 1
    return count
