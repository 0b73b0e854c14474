"""The format of a source, by its name."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

from bulk_cancel.errors import InputError

ACCEPTED = (
    ".csv, .tsv, .ndjson, .jsonl or .json (each also with .gz or .zst), .parquet or a folder of such files, .xlsx, "
    ".xlsm, .ods, or - for CSV on standard input"
)

_CLOUD = re.compile(r"^(s3|gs|az)://", re.IGNORECASE)


class Kind(Enum):
    """The format of the unpacked bytes."""

    CSV = "csv"
    TSV = "tsv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    WORKBOOK = "xlsx"


class Packing(Enum):
    """How the bytes are compressed."""

    NONE = ""
    GZIP = "gz"
    ZSTD = "zst"


_KINDS = {kind.value: kind for kind in Kind} | {
    "jsonl": Kind.NDJSON,
    "json": Kind.NDJSON,
    "xlsm": Kind.WORKBOOK,
    "ods": Kind.WORKBOOK,
}
_PACKED_KINDS = (Kind.CSV, Kind.TSV, Kind.NDJSON)


def format_of(source: str) -> tuple[Kind, Packing]:
    """Return the format of the bytes that a source's name stands for, and how they are packed. Raises InputError."""
    if source == "-":
        return Kind.CSV, Packing.NONE
    if not is_cloud(source) and Path(source).is_dir():
        return Kind.PARQUET, Packing.NONE
    parts = re.split(r"[?#]", source)[0] if is_cloud(source) else source
    *rest, last = parts.rsplit("/", 1)[-1].lower().split(".")[1:] or [""]
    packing = Packing.NONE
    if last in (Packing.GZIP.value, Packing.ZSTD.value):
        packing, last = Packing(last), rest[-1] if rest else ""
    kind = _KINDS.get(last)
    if kind is None or (packing is not Packing.NONE and kind not in _PACKED_KINDS):
        raise InputError("the format of this file is not known", advice=f"Accepted are {ACCEPTED}.")
    return kind, packing


def is_cloud(source: str) -> bool:
    """Return whether the source is in an object store."""
    return _CLOUD.match(source) is not None
