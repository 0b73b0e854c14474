"""The result files of a run: one row per row of the input, streamed from the snapshot of the input and the ledger.

Cells and spreadsheets: a cell that begins with = + - @ runs as a formula when a person opens the file. The added texts
come from a server, so in the CSV files they are made harmless with an apostrophe. The input's cells stay as they are:
it is the operator's own file, which they open in the same program. An apostrophe before a telephone number or a reason
would stay when a correction file is run, and be mailed. `results.parquet` has everything without apostrophes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bulk_cancel.core.csv_dialect import CsvDialect
from bulk_cancel.core.model import Status
from bulk_cancel.core.moments import Zone, show_moment
from bulk_cancel.core.read_as import ReadAs
from bulk_cancel.errors import ReportError
from bulk_cancel.ledger.port import RowRecord
from bulk_cancel.reports.chunks import (
    CHUNK,
    DETAIL,
    MAILED_REASON,
    SETTLED_AT,
    Rows,
    dialect_in,
    original_columns,
    read_as_in,
    read_chunks,
)
from bulk_cancel.reports.columns import correction_columns, result_columns
from bulk_cancel.reports.corrections import correction_rows
from bulk_cancel.reports.csv_file import POLARS_FAILURES, CsvFile, harmless_texts
from bulk_cancel.reports.files import written_aside
from bulk_cancel.reports.workbook import RESULTS_XLSX, WorkbookFile, why_no_workbook

RESULTS_CSV = "results.csv"
RESULTS_PARQUET = "results.parquet"
#: Files of rows to correct or to run again. Skipped rows are in none: there is nothing to correct.
CORRECTIONS: Mapping[str, frozenset[Status]] = MappingProxyType(
    {
        "failed.csv": frozenset({Status.REJECTED, Status.FAILED, Status.NOT_FOUND}),
        "unknown.csv": frozenset({Status.UNKNOWN}),
        "unprocessed.csv": frozenset({Status.PENDING}),
        "invalid.csv": frozenset({Status.INVALID}),
    }
)
FILES = (RESULTS_PARQUET, RESULTS_CSV, RESULTS_XLSX, *CORRECTIONS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Options for the files."""

    excel: bool = False  #: write a workbook, too: it needs its extra, and at most as many rows as a sheet holds
    facts: Sequence[tuple[str, str]] = ()  #: of the run, for a sheet of the workbook: a name and a value each
    zone: Zone = None  #: of their times
    show: Sequence[str] = ()  #: columns of the input, for the page
    keep: bool = False  #: remove no file: a correction file that has no rows any more is left empty


PLAIN = Wanted()


def write_records(snapshot: Path | None, rows: Rows, out: Path, wanted: Wanted = PLAIN) -> str:
    """Write all result files of a run into `out`, or none: after an error the files of an earlier write remain.

    `rows` returns the ledger's rows, which have to be the rows of the snapshot. Without a snapshot the ledger's columns
    replace the input's. Returns why a wanted workbook is missing, a sentence, or "".
    """
    originals = original_columns(snapshot, rows)
    missing = why_no_workbook(0, len(result_columns(originals))) if wanted.excel else ""
    wanted = replace(wanted, excel=wanted.excel and not missing)
    kept = [name for name in FILES if wanted.keep and (out / name).exists()]
    replaced = [name for name in FILES if name != RESULTS_XLSX or wanted.excel or not wanted.keep]
    try:
        with written_aside(out, replaced) as folder:
            read_as = read_as_in(snapshot, originals)
            draft = _Draft(folder, originals, dialect_in(snapshot), read_as, wanted, kept)
            for chunk, records in read_chunks(snapshot, rows, wanted.zone):
                draft.append(chunk, records)
            draft.finish()
    except POLARS_FAILURES as error:
        raise ReportError(out, error) from error
    return missing


@dataclass(slots=True)
class _Draft:
    """Files that are being written. polars cannot append to a Parquet file, so that one is written in parts."""

    folder: Path
    originals: list[str]
    dialect: CsvDialect
    read_as: ReadAs
    wanted: Wanted
    kept: Collection[str]  #: files that are written even without rows
    parts: list[Path] = field(default_factory=list)
    results: CsvFile = field(init=False)
    corrections: dict[str, CsvFile] = field(init=False)
    workbook: WorkbookFile | None = None

    def __post_init__(self) -> None:
        (self.folder / "parts").mkdir()
        self.results = CsvFile(self.folder / RESULTS_CSV, result_columns(self.originals), self.dialect)
        if self.wanted.excel:
            names = result_columns(self.originals)
            self.workbook = WorkbookFile(self.folder / RESULTS_XLSX, names, self.wanted.facts)
        names = correction_columns(self.originals, self.read_as)
        self.corrections = {name: CsvFile(self.folder / name, names, self.dialect) for name in CORRECTIONS}

    def append(self, chunk: pl.DataFrame, records: Sequence[RowRecord]) -> None:
        self.parts.append(self.folder / "parts" / f"{len(self.parts):06}.parquet")
        chunk.write_parquet(self.parts[-1], compression="lz4", statistics=False)
        if self.workbook:
            self.workbook.append(_read_by_people(chunk, self.wanted.zone))
        for_people = chunk.with_columns(harmless_texts(DETAIL, MAILED_REASON))
        self.results.append(for_people)
        for name, statuses in CORRECTIONS.items():
            rows = correction_rows(for_people, records, statuses, self.read_as)
            if rows.height or name in self.kept:
                self.corrections[name].append(rows)

    def finish(self) -> None:
        if self.workbook:
            self.workbook.close()
        rows = pl.scan_parquet(self.parts, glob=False).rename(result_columns(self.originals))
        rows.sink_parquet(self.folder / RESULTS_PARQUET, row_group_size=CHUNK)


def _read_by_people(chunk: pl.DataFrame, zone: Zone) -> pl.DataFrame:
    shown = [show_moment(at, zone) or None for at in chunk[SETTLED_AT]]
    return chunk.with_columns(pl.Series(SETTLED_AT, shown, pl.String))
