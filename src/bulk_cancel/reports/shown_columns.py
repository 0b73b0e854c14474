"""Columns of the input that a person wants to see beside the ids (`--show`). Personal data: none unless asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import polars.selectors as cs

from bulk_cancel.core.columns import ROW, columns_like
from bulk_cancel.core.text import clean
from bulk_cancel.errors import UsageError
from bulk_cancel.reports.chunks import columns_in, read_as_in, reading_snapshot
from bulk_cancel.reports.pages.layout import Page, Row

#: The name of a column and what a row has in it.
Cells = Sequence[tuple[str, str]]
_LONGEST_CELL = 200


@dataclass(frozen=True, slots=True)
class ShownColumns:
    """The columns that are shown, and the snapshot that has them."""

    snapshot: Path = Path()
    names: tuple[str, ...] = ()

    def beside(self, rows: Collection[int]) -> Mapping[int, Cells]:
        """Return the cells of these rows in the columns, without empty ones. Raises InputError."""
        if not self.names:
            return {}
        frame = pl.scan_parquet(self.snapshot, glob=False).select(cs.by_name(ROW, *self.names))
        with reading_snapshot(self.snapshot):
            found = frame.filter(pl.col(ROW).is_in(sorted(rows))).collect(engine="streaming")
        cells = found[list(self.names)].rows()
        return {
            row: [
                (clean(name), clean(cell, _LONGEST_CELL)) for name, cell in zip(self.names, texts, strict=True) if cell
            ]
            for row, texts in zip(found[ROW], cells, strict=True)
        }

    def on(self, page: Page) -> Page:
        """Return the page with these columns in its rows. Raises InputError."""
        if not self.names:
            return page
        cards = [card.rows for card in page.cards]
        cells = self.beside({row.row for rows in (page.rows, *cards) for row in rows})

        def shown(rows: Sequence[Row]) -> list[Row]:
            return [replace(row, shown=cells.get(row.row, ())) for row in rows]

        cards_too = [replace(card, rows=shown(card.rows)) for card in page.cards]
        return replace(page, rows=shown(page.rows), cards=cards_too, shown=[clean(name) for name in self.names])


def shown_columns(snapshot: Path | None, wanted: Sequence[str]) -> ShownColumns:
    """Find columns by name, in the same way as `--map`. Raises UsageError for a missing one."""
    if not wanted:
        return ShownColumns()
    if snapshot is None:
        raise UsageError("The columns of the input are not kept here, so none can be shown.", advice=_LEAVE_OUT)
    columns = columns_in(snapshot)
    aliases = read_as_in(snapshot, columns).aliases
    return ShownColumns(
        snapshot, tuple(dict.fromkeys(_column_named(aliases.get(name, name), columns) for name in wanted))
    )


_LEAVE_OUT = "Nothing was sent or written. Leave --show out."


def _column_named(name: str, columns: Sequence[str]) -> str:
    like = columns_like(name, columns)
    if len(like) == 1:
        return like[0]
    what = "more than one column" if like else "no column"
    listed = ", ".join(map(clean, (like or columns)[:30]))
    raise UsageError(
        f"The input has {what} {clean(name)}, which --show names.",
        advice=f"Nothing was sent or written. {'They are' if like else 'It has'}: {listed}.",
    )
