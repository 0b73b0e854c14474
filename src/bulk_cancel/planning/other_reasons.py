"""Notices rows that were cancelled earlier with another reason than would be mailed now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.text import clean, counted

_AT_ONCE: Final = 1000
_SHOWN: Final = 150
MailedOf = Callable[[Sequence[InputRow]], Sequence[str | None]]


@dataclass
class OtherReasons:
    """Compares the settled lines of a plan with the reasons that were mailed."""

    mailed_of: MailedOf
    fills_in: bool = False  #: the job's reason has blanks: rows whose blanks are not filled in are not compared
    count: int = 0
    _example: str = ""
    _rows: list[InputRow] = field(default_factory=list)

    def add(self, line: PlanLine) -> None:
        """Take the next line."""
        if line.action is Action.NOTHING and not (self.fills_in and line.row.reason is None):
            self._rows.append(line.row)
            if len(self._rows) == _AT_ONCE:
                self._compare()

    def note(self) -> str:
        """Return sentences on the rows with another reason; empty when there are none."""
        self._compare()
        if not self.count:
            return ""
        rows = counted(self.count, "row was", "rows were")
        return f"{rows} cancelled earlier with another reason than would be mailed now. {self._example}"

    def _compare(self) -> None:
        for row, mailed in zip(self._rows, self.mailed_of(self._rows), strict=True):
            if mailed is not None and mailed != (row.reason or ""):
                self.count += 1
                self._example = self._example or f"Row {row.row} got {_quoted(mailed)}, now: {_quoted(row.reason)}."
        self._rows.clear()


def _quoted(reason: str | None) -> str:
    return f"“{clean(reason, _SHOWN)}”" if reason else "(no reason)"
