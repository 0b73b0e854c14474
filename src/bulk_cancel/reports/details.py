"""The text of the column `detail`, for people."""

from __future__ import annotations

from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.text import clean
from bulk_cancel.ledger.port import RowRecord

#: Long enough for all problems of a row, each with its field and the beginning of the cell.
_LONGEST = 2000

_DONE = {Status.CANCELLED: "cancelled, but ", Status.ALREADY_CANCELLED: "already cancelled, but "}


def detail_of(record: RowRecord) -> str:
    """Return one clean line: why the row is invalid, or what became of its target."""
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
