"""Makes the world of a sandbox from a real input, which is read as the job reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from bulk_cancel.core.model import InputRow
from bulk_cancel.errors import UsageError
from bulk_cancel.inputs import InputOptions, read_columns, stage_input
from bulk_cancel.sandbox.world import Kind, Wanted, World
from bulk_cancel.settings.job import load_job


def seed_world(source: str, flags: Mapping[str, Any] = MappingProxyType({})) -> World:
    """Return the appointments that SOURCE names, an input or a job file. `flags` come before its settings, as in a run.

    All are single, unless a column `kind` says otherwise, or a row only makes sense for a group booking. Invalid rows
    are left out. Raises as loading and staging do, UsageError for a [select] job, ValueError for an unknown kind.
    """
    job = load_job(source, flags)
    if job.select is not None:
        raise UsageError(
            "A job with a [select] table has no file to rehearse with.",
            advice="Write what it finds with: bulk-cancel find … -o FILE. Then: bulk-cancel sandbox --seed FILE",
        )
    mapping = {str(name): column for name, column in job.map.items() if name != "account"}
    options = InputOptions(mapping, None, cancel_all=False, hidden_rows=job.hidden_rows, encoding=job.encoding)
    wanted: dict[str, Wanted] = {}
    with TemporaryDirectory(prefix="bulk-cancel-") as folder:
        staged = stage_input(job.input, options, Path(folder) / "seed.parquet")
        kinds = [name for name in staged.columns if name.strip().lower() == "kind"][:1]
        for rows, columns in read_columns(staged, kinds):
            for row, cells in zip(rows, columns, strict=True):
                if row.appointment_id is not None:  # it is None in an invalid row
                    earlier = wanted.get(row.appointment_id) or Wanted(id=row.appointment_id)
                    wanted[row.appointment_id] = _merged(earlier, row, next(iter(cells.values()), None) or "")
    return World.of(wanted.values())


def _merged(earlier: Wanted, row: InputRow, kind: str) -> Wanted:
    if kind.strip():
        earlier = replace(earlier, kind=_kind(kind.strip().lower(), row.row))
    elif row.attendee_id or row.cancel_all:
        earlier = replace(earlier, kind=Kind.GROUP)
    if row.attendee_id and row.attendee_id not in earlier.attendee_ids:
        return replace(earlier, attendee_ids=(*earlier.attendee_ids, row.attendee_id))
    return earlier


def _kind(text: str, row: int) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise ValueError(f"row {row} has the unknown kind {text!r}; known are {', '.join(Kind)}") from None
