"""The valid values of each field of a plan file. An invented file is refused like a damaged one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bulk_cancel.core.actions import Action
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.reason import reason_problem
from bulk_cancel.core.text import one_line

_SURROGATE = re.compile("[\ud800-\udfff]")
#: Above every count and row number, and within the integers of both databases.
_HIGHEST = 1 << 53
LONGEST_WHY: Final = 2000
LONGEST_NAME: Final = 200
LONGEST_ID: Final = 64  #: of all ids and times of the API
_ACTIONS = frozenset(action.value for action in Action)


class MalformedError(ValueError):
    """A line is not valid in a plan. The message does not quote the value."""


def refuse_odd(record: Mapping[str, Any], known: Mapping[str, Callable[[Any], bool]]) -> None:
    """Raise MalformedError for a field that is not known, or whose value is not valid."""
    for key, value in record.items():
        if key not in known:
            raise MalformedError("it has an unknown field")
        if not known[key](value):
            raise MalformedError(f"{key} has a value that is not valid there")


def _is_line(longest: int) -> Callable[[Any], bool]:
    """Return a check for one line of clean text of at most `longest` characters."""
    return lambda value: isinstance(value, str) and len(value) <= longest and one_line(value) == value


def _is_reason(value: Any) -> bool:
    return isinstance(value, str) and not reason_problem(value) and not _SURROGATE.search(value)


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < _HIGHEST


def _is_like(pattern: str) -> Callable[[Any], bool]:
    match = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and moment_of(value) is not None


def _is_action(value: Any) -> bool:
    return isinstance(value, str) and value in _ACTIONS


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_line(LONGEST_ID), value))


def _is_way_of_reading(value: Any) -> bool:
    """Names of columns by fields, how to take hidden rows, an encoding: each only where it was given."""
    if not isinstance(value, dict) or not value or value.keys() - READ_AS:
        return False
    mapping = value.get("map", {})
    texts = [*value.values(), *mapping.keys(), *mapping.values()] if isinstance(mapping, dict) else [None]
    return all(text is mapping or (_is_line(LONGEST_NAME)(text) and text) for text in texts)


def _are_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_action(name) and _is_number(value[name]) for name in value)


_is_id, _is_digest = _is_like("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), _is_like("[0-9a-f]{64}")
#: Settings by which the input was read.
READ_AS: Final = ("map", "hidden_rows", "encoding")
#: Fields of the header that only some plans have.
OPTIONAL = frozenset(
    {"ticket", "approved_by", "timezone", "read_as", "retry_refused", "mailed", "mailed_again", "paid"}
)
HEADER_FIELDS: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "created_at": _is_moment,
        "expires_at": _is_moment,
        "api_url": _is_line(LONGEST_WHY),
        "input": _is_line(LONGEST_NAME),
        "input_digest": _is_digest,
        "options_digest": _is_digest,
        "rows": _is_number,
        "actions": _are_counts,
        "ticket": _is_line(LONGEST_NAME),
        "approved_by": _is_line(LONGEST_NAME),
        "timezone": _is_line(LONGEST_NAME),
        "read_as": _is_way_of_reading,
        "retry_refused": lambda value: value is True,
        "mailed": _is_number,
        "mailed_again": _is_number,
        "paid": _is_number,
    }
)
LINE_FIELDS: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "row": _is_number,
        "action": _is_action,
        "why": _is_line(LONGEST_WHY),
        "first_row": _is_number,
        "appointment_id": _is_id,
        "attendee_id": _is_id,
        "entire_series": lambda value: value is True,
        "cancel_all": lambda value: value is True,
        "group_booking": lambda value: value is True,
        "reason": _is_reason,
        "reason_given": lambda value: value is True,
        "other_reason": lambda value: value is True,
        "user_id": _is_id,
        "account": _is_like("[A-Za-z0-9_.-]{1,64}"),
        "start": _is_line(LONGEST_ID),
        "host_ids": _are_ids,
        "attendee_ids": _are_ids,
    }
)
