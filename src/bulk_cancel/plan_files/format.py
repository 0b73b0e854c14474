"""The format of a plan file: one JSON object per line, in ASCII, with the keys in a fixed order.

ASCII, so that no invisible or right-to-left character of a reason can deceive the person who approves the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any, Final

from bulk_cancel.core.actions import Action, Expectation
from bulk_cancel.core.model import Appointment, InputRow
from bulk_cancel.core.moments import moment_of, write_moment, zone_named
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.text import clean
from bulk_cancel.plan_files.fields import (
    HEADER_FIELDS,
    LINE_FIELDS,
    LONGEST_NAME,
    LONGEST_WHY,
    OPTIONAL,
    READ_AS,
    MalformedError,
    refuse_odd,
)

FORMAT: Final = "bulk-cancel plan"
VERSION: Final = 1
LONGEST_LINE: Final = 4 << 20

#: The part of a cell that a complaint about a row quotes; it may be a name.
_QUOTED = re.compile(r'".*"', re.DOTALL)

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """The first line. Times in seconds since the epoch."""

    created_at: float
    expires_at: float
    api_url: str
    input: str
    input_digest: str
    options_digest: str
    rows: int = 0
    actions: Mapping[Action, int] = field(default_factory=dict)
    ticket: str = ""  #: why
    approved_by: str = ""
    timezone: str = ""  #: of its times for people; empty: the zone of the machine that made it has no name
    read_as: Mapping[str, Any] = field(default_factory=dict)  #: those of the settings `READ_AS` that were given
    retry_refused: bool = False  #: what was refused is sent again as it was
    mailed: int = 0  #: people who get a mail, at least, as readings show; 0: none was read
    mailed_again: int = 0  #: of these, people who get more than one
    paid: int = 0  #: appointments to be cancelled that are paid

    @property
    def zone(self) -> tzinfo | None:
        """The zone of that name; None where none is named, or this machine does not know it."""
        return zone_named(self.timezone)

    def expired(self, now: float) -> bool:
        """Return whether it may not be carried out any more."""
        return now >= self.expires_at


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One line of a plan, as the file holds it."""

    row: InputRow
    action: Action
    why: str
    planned: Expectation  #: the appointment as it was when the plan was made
    is_for_a_group: bool = False  #: everyone in a group is meant, as a reading has shown


def options_digest(options: Mapping[str, object]) -> str:
    """Return the digest of the settings that decide what a plan does; their order does not matter."""
    text = json.dumps(options, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def encode(record: Mapping[str, object]) -> bytes:
    """Return one line of the file."""
    return f"{_encode(record)}\n".encode("ascii")


def decode(line: bytes) -> Record:
    """Read one line of the file. Raises MalformedError."""
    try:
        record = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise MalformedError("it is not JSON in ASCII") from error
    if not isinstance(record, dict):
        raise MalformedError("it is not a JSON object")
    return record


def closing_line(digest: str) -> bytes:
    """Return the last line."""
    return encode({"digest": digest})


def header_record(header: PlanHeader) -> Record:
    """Return the first line."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "created_at": _iso(header.created_at),
        "expires_at": _iso(header.expires_at),
        "api_url": header.api_url,
        "input": clean(header.input, LONGEST_NAME),
        "input_digest": header.input_digest,
        "options_digest": header.options_digest,
        "rows": header.rows,
        "actions": {action.value: header.actions[action] for action in Action if header.actions.get(action)},
        **{name: value for name in ("ticket", "approved_by", "timezone") if (value := getattr(header, name))},
        **({"read_as": way} if (way := _way_of_reading(header.read_as)) else {}),
        **({"retry_refused": True} if header.retry_refused else {}),
        **{name: count for name in ("mailed", "mailed_again", "paid") if (count := getattr(header, name))},
    }


def _way_of_reading(given: Mapping[str, Any]) -> Record:
    """Return the settings by which an input was read, in a fixed order, with names of columns as one line each."""
    columns = sorted((given.get("map") or {}).items())
    mapping = {clean(name, LONGEST_NAME): clean(column, LONGEST_NAME) for name, column in columns}
    return {name: value for name, value in {**dict.fromkeys(READ_AS), **given, "map": mapping}.items() if value}


def refuse_other_spelling(line: bytes, record: Mapping[str, object]) -> None:
    """Raise MalformedError for a line that is not exactly as the record is written: a key twice, blanks, another order.

    The person who approved it may have read something else in it.
    """
    if encode(record) != line:
        raise MalformedError("it is not written as this program writes it")


def read_header(record: Record) -> PlanHeader:
    """Parse the first line. Raises MalformedError."""
    fields = {key: value for key, value in record.items() if key not in ("format", "version")}
    refuse_odd(fields, HEADER_FIELDS)
    if missing := HEADER_FIELDS.keys() - OPTIONAL - fields.keys():
        raise MalformedError(f"{min(missing)} is missing")
    times = {name: moment_of(fields[name]) or 0.0 for name in ("created_at", "expires_at")}
    actions = {Action(name): count for name, count in fields["actions"].items()}
    return PlanHeader(**{**fields, **times, "actions": actions})


def line_record(line: PlanLine) -> Record:
    """Return the record of a line: only fields that are set, and nothing about people."""
    row, seen, why = line.row, line.seen, _clean_why(line.why)
    if line.action is Action.INVALID:
        return {"row": row.row, "action": line.action.value, "why": _QUOTED.sub('"…"', why)}
    record = {
        "row": row.row,
        "action": line.action.value,
        "why": why,
        "first_row": row.first_row if line.action is Action.SAME else None,
        "appointment_id": row.appointment_id,
        "attendee_id": row.attendee_id,
        "entire_series": row.entire_series or None,
        "cancel_all": row.cancel_all or None,
        "group_booking": line.is_for_a_group or None,
        "reason": row.reason,
        "reason_given": (row.reason is not None and row.reason_given) or None,
        "other_reason": row.other_reason or None,
        "user_id": row.user_id,
        "account": row.account,
        "start": seen.start if seen else None,
        "host_ids": list(seen.host_ids) if seen and seen.host_ids is not None else None,
        "attendee_ids": _attendees(seen) if row.attendee_id is None else None,
    }
    return {key: value for key, value in record.items() if value is not None}


def _attendees(seen: Appointment | None) -> list[str] | None:
    """Return the ids of all attendees; None when they are not known."""
    return sorted(seen.attendee_ids) if seen and seen.attendee_ids is not None else None


@lru_cache(maxsize=256)
def _clean_why(why: str) -> str:
    """Cached: most lines of a plan share a few texts."""
    return clean(why, LONGEST_WHY)


def read_strictly(line: bytes) -> PlannedLine:
    """Parse a line of the plan exactly as this program writes it. Raises MalformedError."""
    record = decode(line)
    planned = read_line(record)
    refuse_other_spelling(line, {key: record[key] for key in LINE_FIELDS if key in record})
    return planned


def read_line(record: Record) -> PlannedLine:
    """Parse a line of the plan. Raises MalformedError."""
    refuse_odd(record, LINE_FIELDS)
    if missing := {"row", "action", "why"} - record.keys():
        raise MalformedError(f"{min(missing)} is missing")
    action = Action(record["action"])
    if action is Action.INVALID:
        refuse_odd(record, {key: LINE_FIELDS[key] for key in ("row", "action", "why")})
        row = InputRow(record["row"], None, None, False, False, None, None, None, record["why"])
        return PlannedLine(row, action, record["why"], Expectation())
    _refuse_contradictions(record, action)
    hosts, attendees = (None if ids is None else tuple(ids) for ids in map(record.get, ("host_ids", "attendee_ids")))
    expected = Expectation(record.get("start"), hosts, attendees)
    return PlannedLine(_input_row(record), action, record["why"], expected, record.get("group_booking", False))


def _input_row(record: Record) -> InputRow:
    return InputRow(
        row=record["row"],
        appointment_id=record["appointment_id"],
        attendee_id=record.get("attendee_id"),
        entire_series=record.get("entire_series", False),
        cancel_all=record.get("cancel_all", False),
        reason=record.get("reason"),
        user_id=record.get("user_id"),
        first_row=record.get("first_row", record["row"]),
        problems=None,
        account=record.get("account"),
        reason_given=record.get("reason_given", False),
        other_reason=record.get("other_reason", False),
    )


def _refuse_contradictions(record: Record, action: Action) -> None:
    if "appointment_id" not in record:
        raise MalformedError("appointment_id is missing")
    if len(record.keys() & {"attendee_id", "cancel_all", "entire_series"}) > 1:
        raise MalformedError("attendee_id, cancel_all and entire_series contradict each other")
    if ("group_booking" in record and "cancel_all" not in record) or (
        "reason_given" in record and "reason" not in record
    ):
        raise MalformedError("group_booking is without cancel_all, or reason_given without reason")
    if (action is Action.SAME) != (record.get("first_row", record["row"]) < record["row"]):
        raise MalformedError("first_row does not fit the action")
    if "other_reason" in record and (action is not Action.SAME or "reason" not in record):
        raise MalformedError("other_reason does not fit the action, or is without reason")


def _iso(at: float) -> str:
    return write_moment(at, UTC).replace("+00:00", "Z")
