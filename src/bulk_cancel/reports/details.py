"""What the column `detail` says of a row, for a person."""

from __future__ import annotations

from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.text import clean
from bulk_cancel.ledger.port import RowRecord

#: Room for all the problems of a row: each names its field and shows the beginning of what was found.
_LONGEST = 2000

_DONE = {Status.CANCELLED: "cancelled, but ", Status.ALREADY_CANCELLED: "already cancelled, but "}


def detail_of(record: RowRecord) -> str:
    """Return one clean line: why the row is invalid, or what its target came to."""
    if record.problems:
        return clean(record.problems, _LONGEST)
    said = "; ".join(filter(None, (record.detail, _warning(record))))
    if record.first_row is not None and record.first_row != record.row:
        same = f"same target as row {record.first_row}"
        said = f"{same}: {said}" if said else same
    return clean(said, _LONGEST) if said else ""


def _warning(record: RowRecord) -> str:
    if not record.warnings:
        return ""
    done = _DONE.get(status_of(record.state), "")
    return f"{done}a person should look: {', '.join(record.warnings.split(','))}"
