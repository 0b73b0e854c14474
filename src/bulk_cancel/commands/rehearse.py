"""Makes the seed of a sandbox from a real input, which is read as the job reads it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bulk_cancel.core.model import InputRow
from bulk_cancel.errors import UsageError
from bulk_cancel.inputs import InputOptions, StagedInput, read_columns, stage_input
from bulk_cancel.settings.job import load_job

_HEADER = ("appointment_id", "attendee_id", "cancel_all", "kind")


def write_seed(source: str, folder: Path, flags: Mapping[str, Any] = MappingProxyType({})) -> Path:
    """Write the rows of SOURCE, an input or a job file, as the CSV file that a sandbox is seeded with; return it.

    `flags` come before the job file's settings, as in a run.

    Invalid rows are blank in it. Raises as loading and staging do, and UsageError for a [select] job.
    """
    job = load_job(source, flags)
    if job.select is not None:
        raise UsageError(
            "A job with a [select] table has no file to rehearse with.",
            advice="Write what it finds with: bulk-cancel find … -o FILE. Then: bulk-cancel sandbox --seed FILE",
        )
    mapping = {str(name): column for name, column in job.map.items() if name != "account"}
    options = InputOptions(mapping, None, cancel_all=False, hidden_rows=job.hidden_rows, encoding=job.encoding)
    staged = stage_input(job.input, options, folder / "seed.parquet")
    path = folder / "seed.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows(_lines(staged))
    return path


def _lines(staged: StagedInput) -> Iterator[tuple[str, ...]]:
    kinds = [name for name in staged.columns if name.strip().lower() == "kind"][:1]
    for rows, columns in read_columns(staged, kinds):
        for row, column in zip(rows, columns, strict=True):
            yield _line(row, next(iter(column.values()), None) or "")


def _line(row: InputRow, kind: str) -> tuple[str, ...]:
    if row.problems is not None or row.appointment_id is None:
        return ("-",) * 3 + ("",)
    return (row.appointment_id, row.attendee_id or "", "yes" if row.cancel_all else "", kind)
