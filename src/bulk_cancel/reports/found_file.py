"""The file of the appointments that a search found, meant as the input of a run.

Times are in the zone of the search, with their offset. Texts come from the server and from people: in a CSV file a cell
that a spreadsheet would take for a formula gets an apostrophe. Parquet and XLSX have types, so texts stay as they are.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from bulk_cancel.core.model import Appointment
from bulk_cancel.core.moments import Zone, write_moment
from bulk_cancel.core.text import one_line
from bulk_cancel.errors import ConfigError, OutputError, ReportError, UsageError
from bulk_cancel.reports.csv_file import POLARS_FAILURES, harmless_texts
from bulk_cancel.reports.files import written_aside
from bulk_cancel.reports.workbook import MADE_ON, MOST_ROWS, TEXTS_STAY

_COLUMNS: Final[Mapping[str, type[pl.DataType]]] = MappingProxyType(
    {
        "appointment_id": pl.String,
        "start": pl.String,
        "end": pl.String,
        "location": pl.String,
        "host_ids": pl.String,
        "meeting_type_id": pl.String,
        "meeting": pl.String,
        "group_booking": pl.Boolean,
        "attendee_count": pl.Int64,
        "paid": pl.Boolean,
    }
)
_CANCELLED: Final = MappingProxyType({"is_cancelled": pl.Boolean})
_CONTACTS: Final = MappingProxyType(dict.fromkeys(("attendee_names", "attendee_emails", "attendee_phones"), pl.String))
#: A spreadsheet's cell holds some 32,000 characters.
_LONGEST_CELL: Final = 2000
_KINDS = (".csv", ".parquet", ".xlsx")


@dataclass(frozen=True, slots=True)
class Layout:
    """The zone of the times, and the optional columns."""

    zone: Zone
    with_cancelled: bool = False
    with_contacts: bool = False

    @property
    def columns(self) -> dict[str, type[pl.DataType]]:
        """Name and type of each column, in their order."""
        return {
            **_COLUMNS,
            **(_CANCELLED if self.with_cancelled else {}),
            **(_CONTACTS if self.with_contacts else {}),
        }


def check_kind(file: Path) -> None:
    """Raise UsageError for a file with an unknown ending, ConfigError for a workbook without the extra."""
    kind = file.suffix.lower()
    if kind not in _KINDS:
        raise UsageError(
            f"{file} has an unknown ending.",
            advice=f"Give it one of the endings {', '.join(_KINDS)}. Nothing was read.",
        )
    if kind == ".xlsx" and importlib.util.find_spec("xlsxwriter") is None:
        raise ConfigError(
            "Workbooks need an extra.", advice='In the checkout: pip install ".[excel]", or write a .csv file.'
        )


def found_csv(appointments: Sequence[Appointment], layout: Layout) -> str:
    """Return the CSV text: a header, and a row for each appointment."""
    frame = _frame(appointments, layout)
    return frame.with_columns(harmless_texts()).write_csv()


def write_found(appointments: Sequence[Appointment], layout: Layout, file: Path) -> None:
    """Write the file in the format of its ending, whole or not at all, readable by the user alone.

    Raises OutputError when the disk refuses it; then an earlier file stays.
    """
    check_kind(file)
    try:
        with written_aside(file.parent, [file.name]) as aside:
            _write(appointments, layout, aside / file.name)
    except (ReportError, *POLARS_FAILURES) as error:
        raise OutputError(f"{file} cannot be written: {error.__cause__ or error}.") from error


def _write(appointments: Sequence[Appointment], layout: Layout, file: Path) -> None:
    file.touch(mode=0o600)
    match file.suffix.lower():
        case ".parquet":
            _frame(appointments, layout).write_parquet(file)
        case ".xlsx":
            _write_workbook(_frame(appointments, layout), file)
        case _:
            file.write_text(found_csv(appointments, layout), encoding="utf-8")


def _write_workbook(frame: pl.DataFrame, file: Path) -> None:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # it comes without types

    if frame.height > MOST_ROWS:
        raise OutputError(f"A sheet does not hold {frame.height} rows.", advice="Write a .csv or .parquet file.")
    with Workbook(file, dict(TEXTS_STAY)) as workbook:
        workbook.set_properties({"created": MADE_ON})
        frame.write_excel(workbook, "found", autofit=True)


def _frame(appointments: Iterable[Appointment], layout: Layout) -> pl.DataFrame:
    columns = layout.columns
    rows = [_row(appointment, layout.zone) for appointment in appointments]
    return pl.DataFrame({name: [row[name] for row in rows] for name in columns}, schema=columns)


def _row(appointment: Appointment, zone: Zone) -> dict[str, Any]:
    attending, contacts = appointment.attendee_ids, appointment.contacts
    return {
        "appointment_id": one_line(appointment.appointment_id),
        "start": write_moment(appointment.start, zone) or None,
        "end": write_moment(appointment.end, zone) or None,
        "location": _shown((appointment.location or "")[:_LONGEST_CELL]),
        "host_ids": _shown(" ".join(appointment.host_ids or ())),
        "meeting_type_id": _shown(appointment.meeting_type_id),
        "meeting": _shown(appointment.meeting),
        "group_booking": appointment.group_booking,
        "attendee_count": None if attending is None else len(attending),
        "paid": appointment.paid,
        "is_cancelled": appointment.is_cancelled,
        "attendee_names": _joined(contact.name for contact in contacts),
        "attendee_emails": _joined(contact.email for contact in contacts),
        "attendee_phones": _joined(contact.phone for contact in contacts),
    }


def _shown(text: str | None) -> str | None:
    return one_line(text or "") or None


def _joined(parts: Iterable[str]) -> str | None:
    """Join parts with "; ". Gaps stay, so that the third name, address and number belong to the third attendee."""
    parts = [one_line(part) for part in parts]
    return "; ".join(parts) if any(parts) else None
