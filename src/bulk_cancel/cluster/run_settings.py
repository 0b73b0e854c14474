"""The settings of a job that workers need for its chunks. They are kept in the ledger, without credentials."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC
from typing import Any, Self

from bulk_cancel.cluster.kept import of_ours
from bulk_cancel.core.actions import Look
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.moments import Zone, zone_named
from bulk_cancel.core.window import parse_window
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Limits
from bulk_cancel.errors import ConfigError
from bulk_cancel.execution.execute import limits_of
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.settings.job import Job


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a job that are the same on every worker."""

    label: str
    timeout_s: float
    limits: Limits  #: their time is in seconds since the epoch: the workers' monotonic clocks are not the same
    is_approved: bool = False  #: the run carries out an approved plan
    closure: str = ""  #: the command that checks the days of a closure; empty: this run is of no closure

    @classmethod
    def of(cls, job: Job, limit: TimeLimit | None, clock: Clock, zone: Zone = UTC) -> Self:
        """Return those of a job. Raises ConfigError for options that only a run on one machine has."""
        refuse_others(job)
        return cls(job.label, job.timeout, limits_of(job, _moved(limit, clock.base.offset_s), zone))

    def over(self, targets: int) -> Self:
        """Return them for a run over `targets` targets: a percentage of errors becomes a number for the whole run."""
        allowed = self.limits.max_errors
        if allowed.endswith("%"):
            allowed = str(int(float(allowed[:-1]) * targets / 100))
        return replace(self, limits=replace(self.limits, max_errors=allowed))

    def limits_here(self, clock: Clock, send_within_s: float) -> Limits:
        """Return the limits for the runner of one chunk.

        It does not wait for unknown outcomes, since the chunk comes back, and does not count errors, which count for
        the whole run.
        """
        time = _moved(self.limits.time, -clock.base.offset_s)
        within_s = min(self.limits.send_within_s, send_within_s)
        return replace(self.limits, wait=False, max_errors="", time=time, send_within_s=within_s)

    def keep(self, ledger: Ledger, run_no: int) -> None:
        """Write them to the ledger for a run."""
        limits = {one.name: getattr(self.limits, one.name) for one in fields(Limits)}
        limits["window"] = str(self.limits.window) if self.limits.window else None
        limits["time"] = asdict(self.limits.time) if self.limits.time else None
        limits["zone"] = str(self.limits.zone or "")
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "limits"}
        ledger.bind(_key(run_no), json.dumps({**own, "limits": limits}))

    @classmethod
    def kept(cls, ledger: Ledger, run_no: int) -> Self:
        """Read those of a run. Raises ConfigError for one not begun for workers, and for a setting unknown here.

        Raises ConfigError for settings that this program did not write.
        """
        found = ledger.meta(_key(run_no))
        if found is None:
            raise ConfigError(f"Run {run_no} was not begun with --engine dbos.")
        with of_ours(f"The settings of run {run_no}"):
            return cls._read(json.loads(found))

    @classmethod
    def _read(cls, document: dict[str, Any]) -> Self:
        limits = document["limits"]
        known = {field.name for kind in (cls, Limits) for field in fields(kind)}
        if unknown := sorted((document.keys() | limits.keys()) - known):
            raise ConfigError(
                f"This worker does not know {' and '.join(unknown)}, which the run needs.",
                advice="Update the worker. A newer worker that takes the run in time continues it.",
            )
        limits["window"] = parse_window(limits["window"]) if limits["window"] else None
        limits["time"] = TimeLimit(**limits["time"]) if limits["time"] else None
        limits["look"] = Look(limits["look"])
        limits["zone"] = zone_named(limits["zone"]) or UTC
        return cls(**{**document, "limits": Limits(**limits)})


def closure_of(ledger: Ledger, run_no: int) -> str:
    """Return the command that checks the days of a run that is a closure; empty for any other run."""
    with of_ours(f"The settings of run {run_no}"):
        return str(json.loads(ledger.meta(_key(run_no)) or "{}").get("closure", ""))


def _moved(limit: TimeLimit | None, by_s: float) -> TimeLimit | None:
    return replace(limit, ends_at=limit.ends_at + by_s) if limit else None


def _key(run_no: int) -> str:
    return f"run_settings:{run_no}"


def refuse_others(job: Job) -> None:
    """Raise ConfigError for options that only a run on one machine has."""
    wanted = {"canary": job.canary, "rebooking_list": job.rebooking_list}
    if asked := [f"--{name.replace('_', '-')}" for name, value in wanted.items() if value]:
        raise ConfigError(
            f"{' and '.join(asked)} cannot be used with --engine dbos.",
            advice="Nothing was sent. Leave out --engine: one machine does it.",
        )
