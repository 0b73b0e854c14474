"""Tells a history in sentences: what was sent when, what was heard, what took effect, and what is wrong about it.

A request is named after its kind, by its number among all requests of the history: "cancel 4" is the fourth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bulk_cancel.core.model import Target
from world.ran import Played


def tell(played: Played) -> Iterator[str]:
    """Yield the history, a sentence a line."""
    scenario = played.scenario
    names: dict[str, str] = {}
    for row in scenario.rows:
        if row.appointment_id:
            names.setdefault(row.appointment_id, f"row {row.row}")
            names[f"{row.appointment_id}/{row.attendee_id or ''}"] = f"row {row.row}"
    yield f"seed {scenario.seed}, theme {scenario.theme}: {', '.join(sorted(scenario.features)) or 'no faults'}"
    for row in scenario.rows:
        yield f"  row {row.row}: {row.problems or row.appointment_id}{_about(row)}"
    rows = {number: _named(names, target) for number, (target, _) in played.known.items()}
    sent: dict[int, str] = {}
    for at, what, *more in played.story:
        yield f"{at:12.3f} s  {_sentence(what, more, names, sent, rows)}"
    for number, (_, state) in sorted(played.known.items()):
        yield f"  {rows[number]}: {state.value}, at the end"


def _about(row: Any) -> str:
    attendee = f", attendee {row.attendee_id}" if row.attendee_id else ""
    return f"{attendee}{', the series' if row.entire_series else ''}{', cancel_all' if row.cancel_all else ''}"


_Names = dict[str, str]


def _sentence(what: str, more: list[Any], names: _Names, sent: dict[int, str], rows: dict[int, str]) -> str:
    if what in _OF_APPOINTMENTS:
        return _OF_APPOINTMENTS[what](names, sent, *more)
    match what, more:
        case "heard", [number, answer]:
            return f"{sent[number]}: the API: {answer}"
        case "answered", [number, status, message]:
            return f"{sent[number]}: answered {status or 'nothing'} {message}"
        case "event", [target, event, attempt]:
            return f"      recorded: {rows.get(target, f'target {target}')}: {event}, attempt {attempt}"
        case "run", [number, command, flags]:
            return f"RUN {number}: {command} {' '.join(flags)}"
        case "ended", [number, code, told]:
            return f"RUN {number} ended with {code}: {told}"
        case "VIOLATED", [number, sentence]:
            return f"VIOLATED invariant {number}: {sentence}"
    return f"{what}: {' '.join(str(one) for one in more)}"


def _named(names: _Names, target: Target) -> str:
    return _name(names, target.appointment_id, target.attendee_id or "")


def _name(names: _Names, appointment: str, attendee: str = "") -> str:
    return names.get(f"{appointment}/{attendee}") or names.get(appointment) or f"appointment {appointment}"


def _left(names: _Names, sent: dict[int, str], number: int, kind: str, appointment: str, attendee: str) -> str:
    about = {"post": "cancel", "get": "read", "list": "list", "probe": "probe"}[kind]
    sent[number] = f"{_name(names, appointment, attendee)}: {about} {number}" if appointment else f"{about} {number}"
    return f"{sent[number]} sent"


_OF_APPOINTMENTS: dict[str, Callable[..., str]] = {
    "left": _left,
    "not sent": lambda names, sent, one: f"{_name(names, one)}: not sent, nothing left",
    "applied": lambda names, sent, one, guest, post: f"{_name(names, one, guest)}: applied, by {sent.get(post, post)}",
    "late": lambda names, sent, one, post: f"{_name(names, one)}: a late effect of {sent.get(post, post)}",
    "colleague": lambda names, sent, deed, one: f"{_name(names, one)}: a colleague: {deed}",
}
