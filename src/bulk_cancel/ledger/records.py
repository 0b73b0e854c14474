"""Turns rows of the tables into records, for both databases."""

from __future__ import annotations

import json
from typing import Any

from bulk_cancel.core.clock import Past, TimeBase
from bulk_cancel.core.model import InputRow, Request, Scope, Target, Work
from bulk_cancel.core.states import DONE, SETTLED, State
from bulk_cancel.ledger.port import RowRecord, Unknown

Row = tuple[Any, ...]
_NOTHING_KNOWN = (False, False, None, None, None, False)


def scoped(scope: Scope | None) -> tuple[str | None, int | None, int, int | None, bool]:
    """Return the account, and the run, rows and kind of a chunk, as the statements take them; NULL: any."""
    chunk = scope.chunk if scope else None
    rows = (chunk.run_no, chunk.after_row, chunk.last_row, chunk.series) if chunk else (None, 0, None, False)
    return (scope.account if scope else None, *rows)


def _target(appointment_id: str, attendee_id: str, entire_series: int) -> Target:
    return Target(appointment_id, attendee_id or None, bool(entire_series))


def work_of(row: Row) -> Work:
    """Return the work of a row: key, request, state and attempts of a target, and what the ledger knows of it."""
    target_id, appointment_id, attendee_id, series, reason, cancel_all, user_id, account, state, attempts, *known = row
    known += _NOTHING_KNOWN[len(known) :]
    must_be_read, attended, start, heard, refused, is_cancelled = known
    return Work(
        target_id,
        _target(appointment_id, attendee_id, series),
        Request(reason, bool(cancel_all), user_id, account),
        State(state),
        attempts,
        must_be_read=bool(must_be_read),
        attended=bool(attended),
        start=start,
        is_cancelled=bool(is_cancelled),
        series=_past(heard),
        refused=_past(refused),
    )


def _past(told: str | None) -> Past | None:
    """Read a moment as JSON: with the time base of its run, or with its age by the ledger's own clock."""
    if told is None:
        return None
    at, known, settle_s = json.loads(told)
    base, known_age_s = (TimeBase(*known), 0.0) if isinstance(known, list) else (None, known)
    return Past(at, base, known_age_s, settle_s)


def unknown_of(row: Row) -> Unknown:
    """Return the record of a row of the statement `unknown`."""
    intent_at, start, last_at, undecided, unverified, settle_s, boot_id, offset_s, age_s = row[12:]
    base = None if offset_s is None else TimeBase(boot_id, offset_s)
    is_left = bool(undecided), bool(unverified)
    return Unknown(work_of(row[:12]), intent_at, base, start, last_at, *is_left, settle_s, age_s)


def row_record_of(row: Row) -> RowRecord:
    """Return the record of a row of the statements `rows` and `concerning_rows`."""
    number, first_row, problems, state, detail, http_status, attempts, settled_at = row[:8]
    appointment_id, attendee_id, series, cancel_all, reason, user_id, warnings, account, mailed_reason = row[8:]
    return RowRecord(
        row=number,
        first_row=first_row,
        problems=problems,
        state=State(state) if state else None,
        detail=detail or "",
        http_status=http_status,
        attempts=attempts or 0,
        settled_at=settled_at,
        target=_target(appointment_id, attendee_id, series) if appointment_id else None,
        cancel_all=bool(cancel_all),
        reason=reason,
        user_id=user_id,
        warnings=warnings or "",
        account=account or "",
        mailed_reason=mailed_reason or "",
    )


def staged_state(row: InputRow, found: Row, *, retry_refused: bool) -> State:
    """Return the state of a known target once the row is staged.

    `found` is its state and its request: reason, flag, user, account.
    """
    state, *asked = found
    amended = asked != [row.reason, row.cancel_all, row.user_id, row.account or ""]
    asked_again = (amended or retry_refused) and not row.stands
    reopened = state in (State.FAILED, State.SKIPPED) or (asked_again and State(state) in SETTLED - DONE)
    return State.PENDING if reopened else State(state)
