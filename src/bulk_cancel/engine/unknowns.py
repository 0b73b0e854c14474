"""The age of an unanswered cancel, and when reads may prove that it was not applied."""

from __future__ import annotations

from dataclasses import dataclass

from bulk_cancel.core.clock import send_within
from bulk_cancel.core.model import Scope, Target
from bulk_cancel.engine.clock import Clock
from bulk_cancel.ledger.port import Ledger, Unknown, every_unknown


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A target without a known outcome."""

    target: Target
    sent_at: float  #: seconds since the epoch
    age_s: float
    due_at: float | None  #: when it may be sent again if reads show it active; None: now
    undecided: bool = False  #: no read can settle it: a person has to decide


def open_one(item: Unknown, clock: Clock, settle_s: float) -> OpenTarget:
    """Return an unknown target as people are shown it."""
    left_s = due_in_s(item, clock, settle_s)
    due_at = clock.now() + left_s if left_s > 0 and not item.undecided else None
    return OpenTarget(item.work.target, item.intent_at, max(0.0, _age_s(item, clock)), due_at, item.undecided)


def open_due_in_s(ledger: Ledger, clock: Clock, settle_s: float, scope: Scope | None = None) -> float | None:
    """Return the seconds until no open target of a scope keeps others waiting, at least 0; None when none does.

    An undecided one keeps none waiting.
    """
    due = [due_in_s(item, clock, settle_s) for item in every_unknown(ledger, scope) if not item.undecided]
    return max(0.0, *due) if due else None


def due_in_s(item: Unknown, clock: Clock, settle_s: float) -> float:
    """Return the seconds until an unknown target is past its settle time; negative when it is.

    The longer settle time counts: that of the run that sent it, or `settle_s`.
    """
    return max(settle_s, item.settle_s) - _age_s(item, clock)


def _age_s(item: Unknown, clock: Clock) -> float:
    """The lowest possible age of the send: where the run died after its intent, it may have left that much later."""
    base, left_later_s = item.base, send_within(item.settle_s) if item.last_at <= item.intent_at else 0.0
    age_s = item.age_s if base is None else clock.base.age_s(item.last_at, base, clock.monotonic())
    return age_s - left_later_s
