"""Tells a history in sentences: what was sent when, what was heard, what took effect, and what is wrong about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from world.history import Played


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
    sent: dict[int, str] = {}
    for at, what, *more in played.story:
        yield f"{at:12.3f} s  {_sentence(what, more, names, sent)}"


def _about(row: Any) -> str:
    attendee = f", attendee {row.attendee_id}" if row.attendee_id else ""
    return f"{attendee}{', the series' if row.entire_series else ''}{', cancel_all' if row.cancel_all else ''}"


def _sentence(what: str, more: list[Any], names: dict[str, str], sent: dict[int, str]) -> str:
    def name(appointment: str, attendee: str = "") -> str:
        return names.get(f"{appointment}/{attendee}") or names.get(appointment) or f"appointment {appointment}"

    match what, more:
        case "left", [number, kind, appointment, attendee]:
            about = {"post": "cancel", "get": "read", "list": "list"}[kind]
            sent[number] = f"{name(appointment, attendee)}: {about} {number}" if appointment else f"list {number}"
            return f"{sent[number]} sent"
        case "heard", [number, answer]:
            return f"{sent[number]}: the API: {answer}"
        case "answered", [number, status, message]:
            return f"{sent[number]}: answered {status or 'nothing'} {message}"
        case "not sent", [appointment]:
            return f"{name(appointment)}: not sent, nothing left"
        case "applied", [appointment, attendee, number]:
            return f"{name(appointment, attendee)}: applied, by {sent.get(number, number)}"
        case "late", [appointment, number]:
            return f"{name(appointment)}: a late effect of {sent.get(number, number)}"
        case "event", [target, event, attempt]:
            return f"      recorded: target {target}: {event}, attempt {attempt}"
        case "colleague", [deed, appointment]:
            return f"{name(appointment)}: a colleague: {deed}"
        case "run", [number, command, flags]:
            return f"RUN {number}: {command} {' '.join(flags)}"
        case "ended", [number, code, told]:
            return f"RUN {number} ended with {code}: {told}"
        case "VIOLATED", [number, sentence]:
            return f"VIOLATED invariant {number}: {sentence}"
    return f"{what}: {' '.join(str(one) for one in more)}"
