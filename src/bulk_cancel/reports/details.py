"""The text of the column `detail`, for people."""

from __future__ import annotations

from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.states import State
from bulk_cancel.core.text import clean
from bulk_cancel.ledger.port import RowRecord

#: Long enough for all problems of a row, each with its field and the beginning of the cell.
_LONGEST = 2000
_UNSENT = "not sent: "

_DONE = {Status.CANCELLED: "cancelled, but ", Status.ALREADY_CANCELLED: "already cancelled, but "}


def detail_of(record: RowRecord) -> str:
    """Return one clean line: why the row is invalid, or what became of its target.

    Where several rows name a target, only the first has its warning, so that as many rows have one as are counted.
    """
    if record.problems:
        return clean(record.problems, _LONGEST)
    if record.first_row in (None, record.row):
        said = "; ".join(filter(None, (_told(record), _warning(record))))
    else:
        said = ": ".join(filter(None, (f"same target as row {record.first_row}", _told(record))))
    return clean(said, _LONGEST) if said else ""


def _told(record: RowRecord) -> str:
    """Return the recorded detail. A reading before the cancel may have shown that the API would refuse it."""
    is_unsent = record.state is State.REJECTED and not record.attempts and record.http_status is None
    return f"{_UNSENT}{record.detail}" if is_unsent and not record.detail.startswith(_UNSENT) else record.detail


def _warning(record: RowRecord) -> str:
    if not record.warnings:
        return ""
    done = _DONE.get(status_of(record.state), "")
    return f"{done}a person should look: {', '.join(record.warnings.split(','))}"
