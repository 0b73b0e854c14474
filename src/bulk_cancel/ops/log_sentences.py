"""Sentences for the log's events, shown when stderr is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bulk_cancel.core.text import counted
from bulk_cancel.core.units import show_duration

_Fields = Mapping[str, Any]
_UNTOUCHED = "the run is not affected"


def _requests(event: _Fields) -> str:
    return counted(int(event["in_flight"]), "request")


SENTENCES: Final[Mapping[str, Callable[[_Fields], str]]] = MappingProxyType(
    {
        "account.left": lambda event: (
            f"{counted(event['unknown'], 'outcome stays', 'outcomes stay')} unknown: {event['why']}"
        ),
        "breaker.open": lambda event: (
            f"The API does not answer: {counted(event['troubles'], 'request')} in a row had no answer. Nothing is sent "
            "until it answers again."
        ),
        "chunk.lost": lambda event: f"Another worker has taken chunk {event['chunk']} over: {event['why']}",
        "chunk.rescued": lambda event: (
            f"A chunk of {event['owner'] or 'no worker'} had stalled and is given to another worker."
        ),
        "chunk.waiting": lambda event: f"The ledger's database cannot be reached: {event['why']}",
        "ledger.notice": lambda event: str(event["told"]),
        "lock.waiting": lambda event: (
            f"Another run holds {event['what']}: {event['holder']}. Waiting for it, at most "
            f"{show_duration(event['at_most_s'])}."
        ),
        "metrics.failed": lambda event: (
            f"The metrics cannot be written to {event['path']}: {event['error']}; {_UNTOUCHED}."
        ),
        "notify.failed": lambda event: (
            f"Address {event['address_no']} of the notifications could not be reached; {_UNTOUCHED}."
        ),
        "run.draining": lambda event: (
            f"Stopping ({event['signal']}): {_requests(event)} in flight, whose answers take at most "
            f"{show_duration(event['at_most_s'])}. {_capital(event['hint'])}."
        ),
        "run.no_worker": lambda event: str(event["hint"]),
        "run.no_workbook": lambda event: str(event["why"]),
        "run.fewer_at_a_time": lambda event: str(event["told"]),
        "run.other_reasons": lambda event: (
            f"{counted(event['rows'], 'row')} of this input {'gives' if event['rows'] == 1 else 'give'} another reason "
            "than earlier rows were mailed."
        ),
        "run.paused": lambda event: str(event["told"]),
        "run.put_aside": lambda event: (
            f"{event['out']} held the results of another input: they are in {event['earlier']} now."
        ),
        "run.rebooking_list_lost": lambda event: f"The list of people to call is lost: {event['why']}",
        "run.recovered": lambda event: (
            f"{counted(event['unknown'], 'cancel')} of an interrupted run: looked up before anything is sent."
        ),
        "run.refused_too_recently": lambda event: (
            f"{counted(event['rows'], 'row')} refused too recently to be sent again: try again in "
            f"{event['try_again_in']}."
        ),
        "run.stopped_at_once": lambda event: (
            f"Stopped at once ({event['signal']}). {_requests(event)} had no answer yet: the same command reads "
            "the appointments before it sends. Nothing is lost."
        ),
        "run.stopping": lambda _: "The workers are told to stop; they wait for the answers to requests in flight.",
        "run.time_over": lambda event: f"The time is over. Waiting for the answers to {_requests(event)} in flight.",
        "run.time_short": lambda event: (
            f"The time does not suffice: the run needs {event['needs']} and has {event['left']}."
        ),
        "select.reaches_in": lambda event: str(event["told"]),
        "worker.fewer_at_a_time": lambda event: str(event["told"]),
        "worker.draining": lambda event: f"Stopping ({event['signal']}), after the answers to requests in flight.",
    }
)
#: Events that a run does not log when it shows its plan, which contains them.
IN_THE_PLAN: Final = frozenset({"run.other_reasons", "run.time_short", "select.reaches_in"})


def sentence_of(event: _Fields) -> str:
    """Return an event as a sentence; empty when it has none."""
    make = SENTENCES.get(str(event["event"]))
    account = f"{event['account']}: " if event.get("account") and event["event"] != "account.left" else ""
    return f"{account}{make(event)}" if make else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
