"""Makes the snapshot of an input: reads it, finds the fields, validates rows, finds repeats and contradictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from bulk_cancel.core.columns import ACCOUNT
from bulk_cancel.core.read_as import ReadAs, is_correction_file
from bulk_cancel.core.text import counted, shown
from bulk_cancel.errors import InputError, NoRowsError
from bulk_cancel.inputs.column_types import refuse_wrong_types, text_columns
from bulk_cancel.inputs.columns import Added
from bulk_cancel.inputs.headers import resolve_columns
from bulk_cancel.inputs.reading import open_source, reading_errors, unchanged
from bulk_cancel.inputs.rows import InputOptions, StagedInput
from bulk_cancel.inputs.snapshot import with_changes, write_snapshot
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table
from bulk_cancel.inputs.targets import find_changes
from bulk_cancel.inputs.validation import default_reason, refuse_bad_default_reason, validated
from bulk_cancel.ops.disk import writing
from bulk_cancel.ops.private_files import make_folder

_AS_ASKED = (
    "This is a correction file: each row that was asked before is asked as it stands here. --map, --reason, "
    "--cancel-all, --account and --user-id change nothing of it."
)


def stage_input(source: str, options: InputOptions, into: Path) -> StagedInput:
    """Read a path, '-' (CSV on standard input) or an s3://, gs://, az:// URL into a snapshot.

    Raises InputMissingError when there is no such file, InputError when it cannot be read reliably.
    """
    refuse_bad_default_reason(options.reason)
    make_folder(into.parent)
    # The folder is readable by its owner only, and with it every unpacked or unfinished file.
    with writing(into.parent), TemporaryDirectory(dir=into.parent, prefix=".reading-") as work:
        with reading_errors(source), unchanged(source):
            table = open_source(source, Path(work), options)
            finished = _snapshot(table, options, Path(work))
        finished.chmod(0o600)
        finished.replace(into)
    notes = (*table.notes, _AS_ASKED) if is_correction_file(table.columns) else table.notes
    return StagedInput(into, table.columns, table.digest, notes, _aliases(table, options))


def _snapshot(table: Table, options: InputOptions, work: Path) -> Path:
    fields = resolve_columns(table.columns, options.mapping, with_accounts=options.accounts is not None)
    read_as = _read_as(table, fields, options)
    first = work / "first.parquet"
    write_snapshot(validated(_as_text(table, fields), fields, options), first, table.dialect, read_as)
    _refuse_lost_records(table, first)
    changes = _write_changes(first, work / "changes")
    if not changes:
        return first
    second = work / "second.parquet"
    write_snapshot(with_changes(first, changes), second, table.dialect, read_as)
    return second


def _aliases(table: Table, options: InputOptions) -> Mapping[str, str]:
    return {name: field for field, name in options.mapping.items()} if is_correction_file(table.columns) else {}


def _read_as(table: Table, fields: Mapping[str, str], options: InputOptions) -> ReadAs:
    return ReadAs(
        fields,
        default_reason(options),
        options.cancel_all,
        options.accounts is not None or ACCOUNT in fields,
        options.accounts.default if options.accounts else "",
        _aliases(table, options),
    )


def _as_text(table: Table, fields: Mapping[str, str]) -> pl.LazyFrame:
    for column in fields.values():
        if column in table.nested:
            raise InputError(f'column "{shown(column)}" holds a list or an object on {table.nested[column]}')
    known = table.frame.collect_schema()
    schema = pl.Schema({name: known[name] for name in table.columns})
    refuse_wrong_types(schema, fields)
    return table.frame.select(*text_columns(schema, fields), Added.ROW, LAYOUT_PROBLEM)


def _refuse_lost_records(table: Table, snapshot: Path) -> None:
    """Raise InputError for an empty input, and when polars read other records than the check of the bytes."""
    last_row = pl.scan_parquet(snapshot, glob=False).select(pl.col(Added.ROW).max()).collect().item()
    if last_row is None:
        raise NoRowsError("the input has a header but no rows")
    if table.last_row is None or table.last_row == last_row:
        return
    # Blank rows at the end are in the text but not in the snapshot, so polars is asked for its own last row.
    read = table.frame.select(pl.col(Added.ROW).max()).collect(engine="streaming").item()
    if read != table.last_row:
        raise InputError(
            f"the text has {counted(table.last_row, 'record')}, but {read:,} were read; no row of it can be trusted"
        )


def _write_changes(snapshot: Path, folder: Path) -> list[Path]:
    make_folder(folder)
    valid = pl.scan_parquet(snapshot, glob=False).select(pl.col(Added.FIRST_ROW).count()).collect().item()
    paths: list[Path] = []
    for number, changes in enumerate(find_changes(snapshot, valid)):
        paths.append(folder / f"{number:06}.parquet")
        changes.write_parquet(paths[-1], row_group_size=20_000)
    return paths
