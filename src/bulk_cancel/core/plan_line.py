"""One line of a plan: what a run would do with a row, and why."""

from __future__ import annotations

from dataclasses import dataclass

from bulk_cancel.core.foresight import Action
from bulk_cancel.core.model import Appointment, InputRow


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One row's action with its reason."""

    row: InputRow
    action: Action
    why: str
    seen: Appointment | None = None  #: what a look showed, in a live plan

    @property
    def is_sent(self) -> bool:
        """Whether a run would send it."""
        return self.action is Action.CANCEL
