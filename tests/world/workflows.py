"""DBOS as the world plays it: workflows by name, claimed by executors, one of each partition at a time.

It takes the place of the client under `cluster/queue.py`; names, partitions, delays and what is stuck or failed are
the program's. The semantics are those of DBOS: a name is enqueued once; what a dead executor had claimed stays pending
until an executor of that name starts again or somebody resumes it; who lost a workflow cannot end it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import OperationalError

from bulk_cancel.cluster import queue
from world.database import Database

_OPEN = ("ENQUEUED", "DELAYED", "PENDING")


@dataclass
class Workflow:
    """One piece of work."""

    workflow_id: str
    name: str
    partition: str
    arguments: tuple[Any, ...]
    status: str
    due_at: float
    executor_id: str = ""
    dequeued_at: float = 0.0
    ended_at: float = 0.0
    claims: int = 0  #: who has an earlier one cannot end it


@dataclass
class Workflows:
    """The tables of DBOS. They are in the database of the ledger, and away when that is."""

    database: Database
    breaks: Callable[[], int | None] = lambda: None
    all: dict[str, Workflow] = field(default_factory=dict)

    def _asked(self) -> int | None:
        """A call may be lost before it is carried out (0), or before anybody hears of it (1)."""
        lost = 0 if self.database.is_away else self.breaks()
        if lost == 0:
            self._lose()
        return lost

    def _lose(self) -> None:
        raise OperationalError("the queue", {}, Exception("the connection was lost"))

    # -- what `cluster/queue.py` asks of a client ---------------------------------------------------------------------

    def enqueue(self, options: Mapping[str, Any], *arguments: Any) -> None:
        """Have work done; a second one of the same name is none."""
        lost, now, delay_s = self._asked(), self.database.clock.now, options.get("delay_seconds", 0.0)
        name, about = options["workflow_id"], (options["workflow_name"], options["queue_partition_key"])
        status = "DELAYED" if delay_s else "ENQUEUED"
        self.all.setdefault(name, Workflow(name, *about, arguments, status, now + delay_s))
        if lost:
            self._lose()

    def list_workflows(
        self,
        *,
        workflow_ids: Sequence[str] | None = None,
        status: str | Sequence[str] | None = None,
        name: str = "",
        workflow_id_prefix: str = "",
        dequeued_before: str = "",
        end_time: str = "",
        **_: Any,
    ) -> list[Workflow]:
        """Return what all conditions hold for."""
        self._asked()
        wanted = (status,) if isinstance(status, str) else status
        found = []
        for one in self.all.values():
            if (
                (workflow_ids is None or one.workflow_id in workflow_ids)
                and (wanted is None or one.status in wanted)
                and name in ("", one.name)
                and one.workflow_id.startswith(workflow_id_prefix)
                and (not dequeued_before or one.dequeued_at < _moment(dequeued_before) - self._epoch)
                and (not end_time or one.ended_at < _moment(end_time) - self._epoch)
            ):
                found.append(one)
        return found

    def resume_workflow(self, workflow_id: str, *, queue_name: str) -> None:
        """Hand a workflow back to the queue, unless it has ended."""
        lost, one = self._asked(), self.all[workflow_id]
        if one.status in _OPEN:
            self._back(one)
        if lost:
            self._lose()

    def delete_workflows(self, workflow_ids: Sequence[str]) -> None:
        """Forget workflows."""
        self._asked()
        for workflow_id in workflow_ids:
            self.all.pop(workflow_id, None)

    # -- what executors do --------------------------------------------------------------------------------------------

    def start(self, executor_id: str) -> None:
        """An executor starts: what it had claimed in an earlier life goes back to the queue."""
        for one in self.all.values():
            if one.status == "PENDING" and one.executor_id == executor_id:
                self._back(one)

    def claim(self, executor_id: str, at_most: int) -> list[tuple[Workflow, int]]:
        """Take what is due, one of each partition that nobody works on; each with the number of its claim."""
        now = self.database.clock.now
        busy, claimed = {one.partition for one in self.all.values() if one.status == "PENDING"}, []
        for one in self.all.values():
            if one.status in ("ENQUEUED", "DELAYED") and one.due_at <= now and one.partition not in busy:
                if len(claimed) == at_most:
                    break
                busy.add(one.partition)
                one.status, one.executor_id, one.dequeued_at, one.claims = "PENDING", executor_id, now, one.claims + 1
                claimed.append((one, one.claims))
        return claimed

    def end(self, one: Workflow, claim: int, status: str) -> None:
        """A claim has come to its end; when another one was made since, nobody hears of it."""
        if one.claims == claim and one.status == "PENDING":
            one.status, one.ended_at = status, self.database.clock.now

    def next_at(self) -> float:
        """Return when something may be claimed, as far as is known now."""
        busy = {one.partition for one in self.all.values() if one.status == "PENDING"}
        waiting = (one for one in self.all.values() if one.status in ("ENQUEUED", "DELAYED"))
        return min((one.due_at for one in waiting if one.partition not in busy), default=math.inf)

    def _back(self, one: Workflow) -> None:
        one.status, one.executor_id, one.due_at, one.claims = "ENQUEUED", "", self.database.clock.now, one.claims + 1

    @property
    def _epoch(self) -> float:
        return self.database.now - self.database.clock.now


@contextmanager
def played() -> Iterator[None]:
    """For the length of a block nobody asks the real DBOS to make its tables."""
    real = queue.migrate
    queue.migrate = lambda _: None
    try:
        yield
    finally:
        queue.migrate = real


def _moment(told: str) -> float:
    return datetime.fromisoformat(told).astimezone(UTC).timestamp()
