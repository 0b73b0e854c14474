"""What the last answers say of the API as a whole. Cancels and reads are counted apart: one kind may fail alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from bulk_cancel.core.outcome import Kind

_TROUBLE = frozenset({Kind.NOT_SENT, Kind.NO_ANSWER})
_UNHEARD_OF = frozenset({Kind.NONSENSE, Kind.NOT_SHOWN})


class Asked(StrEnum):
    """The two kinds of requests."""

    CANCEL = "cancel"
    READ = "read"


@dataclass
class Health:
    """Troubles in a row, over all workers of an account."""

    _troubles: Counter[Asked] = field(default_factory=Counter)  #: unreachable, or no answer
    _unheard_of: Counter[Kind] = field(default_factory=Counter)  #: answers that the API does not give, in a row
    granted: set[Asked] = field(default_factory=set)  #: what the credential was allowed in this run, if but once

    def note(self, asked: Asked, kind: Kind) -> None:
        """Learn from an outcome, whichever worker had it."""
        self._troubles[asked] = self._troubles[asked] + 1 if kind in _TROUBLE else 0
        if asked is Asked.CANCEL:
            self._unheard_of = self._unheard_of + Counter([kind]) if kind in _UNHEARD_OF else Counter()

    @property
    def troubles(self) -> int:
        """How many requests of a kind have failed in a row, of the kind that fares worse."""
        return max(self._troubles.values(), default=0)

    @property
    def unheard_of(self) -> int:
        """How many answers to cancels in a row were none that the API gives."""
        return self._unheard_of.total()

    @property
    def shows_others(self) -> bool:
        """Whether any of them was a document of the API that shows the appointment, and does not show it cancelled."""
        return Kind.NOT_SHOWN in self._unheard_of

    def recovered(self) -> None:
        """The API answers again."""
        self._troubles.clear()
