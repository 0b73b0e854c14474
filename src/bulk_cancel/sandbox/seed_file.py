"""A world made from an input file, so that a real job can be rehearsed on exactly its own ids.

The file is a CSV (comma, semicolon or tab) with the column `appointment_id` or `id`. Every appointment is single,
unless a column `kind` says otherwise, or a row only makes sense for a group booking: it names an `attendee_id`
or says `cancel_all`. Rows without a UUID are left out, as no request can reach them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from bulk_cancel.sandbox.world import Kind, Wanted, World

_TRUE = {"true", "yes", "1"}


def read_world(path: Path, seed: int = 1, now: datetime | None = None) -> World:
    """The world of a seed file; ValueError when the file has no id column or an unknown kind."""
    wanted: dict[str, Wanted] = {}
    for line, row in _rows(path):
        id_ = _uuid(row.get("appointmentid") or row.get("id") or "")
        if id_:
            earlier = wanted.get(id_, Wanted(id=id_))
            wanted[id_] = _merge(earlier, row, f"{path}, line {line}")
    return World.of(wanted.values(), seed, now)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        delimiter = max(",;\t", key=header.count)
        names = [_plain(name) for name in next(csv.reader([header], delimiter=delimiter), [])]
        if not {"appointmentid", "id"} & set(names):
            raise ValueError(f"{path} has no column appointment_id or id")
        reader = csv.DictReader(file, names, delimiter=delimiter, restval="", restkey="")
        for row in reader:
            yield reader.line_num + 1, {name: value.strip() for name, value in row.items() if isinstance(value, str)}


def _merge(earlier: Wanted, row: Mapping[str, str], where: str) -> Wanted:
    kind, attendee = row.get("kind", "").lower(), _uuid(row.get("attendeeid", ""))
    if kind:
        earlier = replace(earlier, kind=_kind(kind, where))
    elif attendee or row.get("cancelall", "").lower() in _TRUE:
        earlier = replace(earlier, kind=Kind.GROUP)
    if attendee and attendee not in earlier.attendee_ids:
        return replace(earlier, attendee_ids=(*earlier.attendee_ids, attendee))
    return earlier


def _kind(text: str, where: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise ValueError(f"{where}: unknown kind {text!r}; known are {', '.join(Kind)}") from None


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character not in " -_\t\r\n")


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return None
