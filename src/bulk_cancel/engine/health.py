"""The API's health by its last answers. Cancels and reads are counted apart: one kind alone may fail."""

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
    """Consecutive failures, over all workers of an account."""

    _troubles: Counter[Asked] = field(default_factory=Counter)  #: unreachable, or no answer
    _unheard_of: Counter[Kind] = field(default_factory=Counter)  #: answers that the API does not give, in a row
    granted: set[Asked] = field(default_factory=set)  #: kinds that the credential was allowed at least once in this run
    forbidden: dict[Asked, set[int]] = field(default_factory=lambda: {asked: set() for asked in Asked})  #: target ids

    def note(self, asked: Asked, kind: Kind) -> None:
        """Count an outcome, of whichever worker."""
        self._troubles[asked] = self._troubles[asked] + 1 if kind in _TROUBLE else 0
        if asked is Asked.CANCEL:
            self._unheard_of = self._unheard_of + Counter([kind]) if kind in _UNHEARD_OF else Counter()

    @property
    def denied(self) -> int:
        """Number of targets of which a request was forbidden, of a kind that was never granted."""
        return len(set[int]().union(*(ids for asked, ids in self.forbidden.items() if asked not in self.granted)))

    @property
    def troubles(self) -> int:
        """Number of consecutive requests of a kind that failed; the higher of both kinds."""
        return max(self._troubles.values(), default=0)

    @property
    def unheard_of(self) -> int:
        """Number of consecutive answers to cancels that are not as the API gives them."""
        return self._unheard_of.total()

    @property
    def shows_others(self) -> bool:
        """Whether one of them was a document of the API that does not show the appointment cancelled."""
        return Kind.NOT_SHOWN in self._unheard_of

    def recovered(self) -> None:
        """Reset the count: the API answers again."""
        self._troubles.clear()
