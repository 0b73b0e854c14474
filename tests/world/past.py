"""What a ledger says at one moment, read without changing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from bulk_cancel.core.model import Target
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.sqlite.open import close

_WARNED = """
SELECT count(DISTINCT target_id) FROM events JOIN targets t USING (target_id)
WHERE run_no = ? AND event = 'cancelled' AND t.warnings <> ''
"""


@dataclass
class Past:
    """What the ledger says at one moment."""

    events: list[tuple[Any, ...]] = field(default_factory=list)  #: number, target, run, event, attempt, at, detail
    targets: dict[int, Target] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    rows: list[tuple[Any, ...]] = field(default_factory=list)  #: of the newest run: row, target
    newest_run: int = 0  #: its number
    warned: int = 0  #: targets that it cancelled, with after-effects that went wrong

    @property
    def changed(self) -> int:
        """How many targets of the newest run were left out because they are not what was approved."""
        last = {target: event for _, target, _, event, *_ in self.events}
        return sum(last.get(target) == Event.CHANGED for target in {target for _, target in self.rows})


def read_past(path: Path) -> Past:
    """Read a ledger and leave it as it is."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    try:
        return _past(connection.execute)
    finally:
        close(connection, path)


def _past(ask: Callable[..., Any]) -> Past:
    past = Past(list(ask("SELECT event_id, target_id, run_no, event, attempt_no, at, detail FROM events ORDER BY 1")))
    targets = "SELECT target_id, appointment_id, attendee_id, entire_series, state FROM targets"
    for number, appointment, attendee, series, state in ask(targets):
        past.targets[number] = Target(appointment, attendee or None, bool(series))
        past.states[number] = State(state)
    ((past.newest_run,),) = ask("SELECT ifnull(max(run_no), 0) FROM runs")
    past.rows = list(ask("SELECT row, target_id FROM input_rows WHERE run_no = ? ORDER BY row", (past.newest_run,)))
    ((past.warned,),) = ask(_WARNED, (past.newest_run,))
    return past


def name_of(target: Target | None) -> str:
    """Name a target in a sentence: by the end of its id."""
    if target is None:
        return "the list"
    attendee = f"/{target.attendee_id[-4:]}" if target.attendee_id else ""
    return f"appointment {target.appointment_id[-12:].lstrip('0')}{attendee}"
