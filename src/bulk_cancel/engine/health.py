"""The API's health by its last answers. Cancels and reads are counted apart: one kind alone may fail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from bulk_cancel.core.outcome import Kind

_TROUBLE = frozenset({Kind.NOT_SENT, Kind.NO_ANSWER})


class Asked(StrEnum):
    """The two kinds of requests."""

    CANCEL = "cancel"
    READ = "read"


@dataclass
class Health:
    """Consecutive failures, over all workers of an account."""

    _troubles: Counter[Asked] = field(default_factory=Counter)  #: unreachable, or no answer
    _nonsense: int = 0
    granted: set[Asked] = field(default_factory=set)  #: kinds that the credential was allowed at least once in this run

    def note(self, asked: Asked, kind: Kind) -> None:
        """Count an outcome, of whichever worker."""
        self._troubles[asked] = self._troubles[asked] + 1 if kind in _TROUBLE else 0
        if asked is Asked.CANCEL:
            self._nonsense = self._nonsense + 1 if kind is Kind.NONSENSE else 0

    @property
    def troubles(self) -> int:
        """Number of consecutive requests of a kind that failed; the higher of both kinds."""
        return max(self._troubles.values(), default=0)

    @property
    def nonsense(self) -> int:
        """Number of consecutive answers to cancels that were not the API's."""
        return self._nonsense

    def recovered(self) -> None:
        """Reset the count: the API answers again."""
        self._troubles.clear()
