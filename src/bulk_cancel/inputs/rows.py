"""The types of reading an input. Imports no polars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class InputOptions:
    """How to read the input."""

    mapping: Mapping[str, str]  #: field -> column header, from --map
    reason: str | None  #: for rows without one
    cancel_all: bool  #: default for rows that name neither it nor an attendee nor a series
    accounts: AccountNames | None = None  #: None: rows have no accounts, unless a column is mapped to them
    blanks: tuple[str, ...] = ()  #: further columns that are read: what the reason has blanks for
    hidden_rows: Literal["", "skip", "include"] = ""  #: of a sheet; empty: refuse a sheet that hides rows
    encoding: str = ""  #: of a CSV or NDJSON text; empty: UTF-8, or UTF-16 with a byte order mark


@dataclass(frozen=True, slots=True)
class AccountNames:
    """The accounts that rows may name, and the default."""

    names: tuple[str, ...] = ()
    default: str = ""  #: empty: the run's own


@dataclass(frozen=True, slots=True)
class StagedInput:
    """An input in its snapshot."""

    path: Path  #: a Parquet file, mode 0600
    columns: tuple[str, ...]  #: original column names in order
    digest: str  #: sha256 of the input's bytes as read
    notes: tuple[str, ...] = ()  #: sentences on how it was read
    aliases: Mapping[str, str] = field(default_factory=dict)  #: what `--map` called a column of a correction file -> it
