"""What a history and each of its runs came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio

from bulk_cancel.access.setup import Setup
from bulk_cancel.core.model import InputRow, Target
from bulk_cancel.core.states import State
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.execution.execute import Approval, RunFacts
from bulk_cancel.execution.finish import Effort, summarised
from bulk_cancel.ops.progress import Standing
from bulk_cancel.reports.summary import Summary, to_json
from bulk_cancel.settings.job import Job
from world.process import Process
from world.scenario import Scenario


@dataclass
class Played:
    """What one history came to."""

    scenario: Scenario
    violations: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    requests: int = 0
    digest: str = ""
    story: list[tuple[Any, ...]] = field(default_factory=list)
    known: dict[int, tuple[Target, State]] = field(
        default_factory=dict
    )  #: what the ledger says at the end, by its number


@dataclass
class Ran:
    """How one run ended: with a summary, an error for people, a kill, or a bug."""

    number: int
    process: Process
    job: Job
    rows: list[InputRow]
    began_at: float
    summary: Summary | None = None
    error: BulkCancelError | None = None
    killed: bool = False
    bug: str = ""
    reconciles: bool = False
    approval: Approval | None = None
    approved_at: float = 0.0  #: in true time
    swapped_at: float | None = None  #: when the ledger's files were changed under it
    standing: Callable[[], Standing] | None = None  #: what is shown to a person

    @property
    def exit_code(self) -> int:
        return (
            -9 if self.killed else self.summary.exit_code if self.summary else self.error.exit_code if self.error else 1
        )

    @property
    def told(self) -> str:
        """What a person is told at the end."""
        return self.summary.next if self.summary else f"{self.error} {self.error.advice}" if self.error else self.bug


@dataclass
class Shown:
    """A display that keeps what it could show."""

    ran: Ran

    async def follow(self, standing: Callable[[], Standing]) -> None:
        self.ran.standing = standing
        await anyio.sleep_forever()

    def stop(self) -> None: ...


def ended(facts: RunFacts, end: Any, setup: Setup) -> Summary:
    """Sum a run up and end it in the ledger, without the files for people."""
    by_account = setup.job.accounts is not None
    effort = Effort({one.name: [one.counters] for one in facts.active}, by_account, 0.0, setup.job.pace)
    summary = summarised(facts, end, effort)
    facts.ledger.end_run(facts.run_no, facts.clock.now(), to_json(summary))
    return summary
