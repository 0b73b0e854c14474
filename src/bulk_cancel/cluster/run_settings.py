"""What workers have to know of a job to carry a chunk of it out. It is kept in the ledger; no credential is in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.window import parse_window
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Limits
from bulk_cancel.errors import ConfigError
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.settings.job import Job


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a job that hold on every worker. Durations in seconds, moments in seconds since the epoch."""

    label: str
    timeout_s: float
    max_attempts: int
    settle_s: float
    max_errors: str
    look_first: bool
    wait: bool
    skip_past: bool
    late_within_s: float
    window: str
    stop_outside: bool
    ends_at: float | None
    ends_with: str
    refused_before: int = 0  #: targets that had been refused when the run began

    @classmethod
    def of(cls, job: Job, limit: TimeLimit | None, clock: Clock) -> Self:
        """Take them from a job. Raises ConfigError for what only a run on one machine can do."""
        refuse_others(job)
        window = job.send_window
        return cls(
            label=job.label,
            timeout_s=job.timeout,
            max_attempts=job.max_attempts,
            settle_s=job.settle,
            max_errors=job.max_errors,
            look_first=job.look_first,
            wait=job.wait,
            skip_past=job.skip_past,
            late_within_s=job.late_within,
            window=f"{window.opens:%H:%M}-{window.closes:%H:%M} {window.zone.key}" if window else "",
            stop_outside=job.outside_window == "stop",
            ends_at=clock.base.wall(limit.ends_at) if limit else None,
            ends_with=limit.sentence if limit else "",
        )

    def over(self, targets: int, refused_before: int) -> Self:
        """Return them for a run over so many targets: a share of errors is one of the run, whatever the chunks are."""
        allowed = self.max_errors
        if allowed.endswith("%"):
            allowed = str(int(float(allowed[:-1]) * targets / 100))
        return replace(self, max_errors=allowed, refused_before=refused_before)

    def limits(self, clock: Clock, send_within_s: float) -> Limits:
        """Return them as a runner of one chunk takes them. What is unknown is not waited for: the chunk comes back."""
        time = None if self.ends_at is None else TimeLimit(self.ends_at - clock.base.offset_s, self.ends_with)
        return Limits(
            max_attempts=self.max_attempts,
            settle_s=self.settle_s,
            max_errors=self.max_errors,
            look_first=self.look_first,
            skip_past=self.skip_past,
            late_within_s=self.late_within_s,
            window=parse_window(self.window) if self.window else None,
            stop_outside=self.stop_outside,
            time=time,
            send_within_s=send_within_s,
        )

    def keep(self, ledger: Ledger, run_no: int) -> None:
        """Write them down for a run."""
        ledger.bind(_key(run_no), json.dumps(asdict(self)))

    @classmethod
    def kept(cls, ledger: Ledger, run_no: int) -> Self:
        """Read those of a run. Raises ConfigError for a run that was not begun for workers."""
        found = ledger.meta(_key(run_no))
        if found is None:
            raise ConfigError(f"Run {run_no} was not begun with --engine dbos.")
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(found).items() if name in known})


def _key(run_no: int) -> str:
    return f"rules:{run_no}"


def refuse_others(job: Job) -> None:
    """Refuse what only a run on one machine can do. Raises ConfigError."""
    wanted = {
        "live": job.live,
        "canary": job.canary,
        "check_drift": job.check_drift,
        "rebooking_list": job.rebooking_list,
    }
    if asked := [f"--{name.replace('_', '-')}" for name, value in wanted.items() if value]:
        raise ConfigError(
            f"{' and '.join(asked)} cannot be had with --engine dbos.",
            advice="Nothing was sent. Use --look-first instead, or leave out --engine: one machine does it.",
        )
