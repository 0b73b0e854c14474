"""Keeps the content of an approved plan in the ledger, for workers that do not have its file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from typing import Any

from bulk_cancel.cluster.kept import of_ours
from bulk_cancel.core.actions import Action, Approved, Expectation
from bulk_cancel.core.model import Chunk, Target
from bulk_cancel.ledger.port import Ledger

ApprovedRow = tuple[int, Target, Approved]
_ROWS = 1000


def keep_approved(ledger: Ledger, run_no: int, rows: Iterable[ApprovedRow]) -> None:
    """Write the approved rows to the ledger; they come in row order."""
    for block, found in groupby(rows, lambda row: row[0] // _ROWS):
        ledger.bind(_key(run_no, block), json.dumps([_record(target, approved) for _, target, approved in found]))


def approved_of(ledger: Ledger, chunk: Chunk) -> Mapping[Target, Approved]:
    """Return the approved rows of a chunk, with some adjacent ones."""
    blocks = range(chunk.after_row // _ROWS, chunk.last_row // _ROWS + 1)
    with of_ours(f"What was approved of run {chunk.run_no}"):
        return dict(found for block in blocks for found in _read(ledger.meta(_key(chunk.run_no, block))))


def _key(run_no: int, block: int) -> str:
    return f"approved:{run_no}:{block}"


def _record(target: Target, approved: Approved) -> list[Any]:
    seen = {name: value for name, value in asdict(approved.seen).items() if value is not None and value is not False}
    return [target.appointment_id, target.attendee_id, target.entire_series, approved.action.value, approved.why, seen]


def _read(text: str | None) -> Iterator[tuple[Target, Approved]]:
    for appointment_id, attendee_id, entire_series, action, why, seen in json.loads(text or "[]"):
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in seen.items()
        }
        yield Target(appointment_id, attendee_id, entire_series), Approved(Action(action), why, Expectation(**known))
