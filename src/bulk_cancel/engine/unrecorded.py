"""Prints outcomes that the ledger cannot record to stderr, in a form that a person can act on."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from bulk_cancel.core.model import Work
from bulk_cancel.core.outcome import Outcome

#: Number of targets that are named; up to 256 cancels may be in flight when the disk is full.
_MOST_NAMED = 5


def tell_unrecorded(unrecorded: Sequence[tuple[Work, Outcome]]) -> None:
    """Print one line about all of them; nothing when there are none."""
    if not unrecorded:
        return
    ends = Counter(_end_of(outcome) for _, outcome in unrecorded)
    ended = ", ".join(end if len(unrecorded) == 1 else f"{count} {end}" for end, count in ends.items())
    named = ", ".join(_named(work) for work, _ in unrecorded[:_MOST_NAMED])
    more = f" and {len(unrecorded) - _MOST_NAMED} more" if len(unrecorded) > _MOST_NAMED else ""
    intents = "intent" if len(unrecorded) == 1 else "intents"
    line = (
        f"bulk-cancel: NOT RECORDED: {named}{more} ended as {ended}. The ledger holds the {intents}: "
        "the next run reads each appointment before anything is sent to it again."
    )
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _named(work: Work) -> str:
    attendee = f" attendee {work.target.attendee_id}" if work.target.attendee_id else ""
    return f"appointment {work.target.appointment_id}{attendee} (attempt {work.attempts})"


def _end_of(outcome: Outcome) -> str:
    return f"'{outcome.kind.value}' (HTTP {outcome.answer.status or 'none'})"
