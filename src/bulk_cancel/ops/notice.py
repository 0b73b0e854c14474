"""What notifications and metrics say of a run: numbers, names of files and a sentence; nothing about any person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bulk_cancel.errors import Exit

#: Exit codes of a run that went through all its rows.
_FINISHED = (Exit.OK, Exit.REFUSED_ROWS, Exit.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """How a run ended. A run that never began has no id."""

    job: str
    exit_code: Exit
    sentence: str
    elapsed_s: float
    run_id: str = ""
    out: str = ""  #: where the results are
    counts: Mapping[str, int] = field(default_factory=dict)  #: status → rows
    requests: Mapping[str, int] = field(default_factory=dict)  #: cancel, read → how many
    throttled: int = 0
    unknown_open: int | None = None  #: targets of unknown outcome in the ledger; None: it could not be asked

    @property
    def occasions(self) -> frozenset[str]:
        """The occasions that apply, of finish, failure, unknown and halt; several may."""
        finished = self.exit_code in _FINISHED
        stopped = self.exit_code is Exit.STOPPED or bool(self.run_id and not finished)
        failed = self.exit_code is Exit.REFUSED_ROWS or not (finished or self.exit_code is Exit.STOPPED)
        facts = {"finish": finished, "failure": failed, "unknown": self.counts.get("unknown", 0) > 0, "halt": stopped}
        return frozenset(name for name, is_so in facts.items() if is_so)
