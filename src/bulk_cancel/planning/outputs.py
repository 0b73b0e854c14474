"""Where a plan's lines go: the plan file, the audit files, the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bulk_cancel.core.plan import PlanLine
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.errors import UsageError
from bulk_cancel.plan_files import PlanAbout, holds_plan, writing_plan
from bulk_cancel.planning.sources import Source
from bulk_cancel.reports.pages.plan_page import PlanFacts, writing_plan_page
from bulk_cancel.reports.plan_records import plan_records
from bulk_cancel.settings.accounts import load_accounts
from bulk_cancel.settings.environment import api_url
from bulk_cancel.settings.job import Job


@dataclass
class PlanOutputs:
    """Takes the lines of a plan to the files that the job wants of it."""

    takers: list[Callable[[PlanLine], None]] = field(default_factory=list)
    digest: str | None = None  #: of the plan file, known after the block

    def add(self, line: PlanLine) -> None:
        for take in self.takers:
            take(line)


@contextmanager
def plan_outputs(job: Job, source: Source, environ: Mapping[str, str]) -> Iterator[PlanOutputs]:
    """Yield what takes a plan's lines; after the block the plan file and the audit files are in their place."""
    outputs = PlanOutputs()
    with ExitStack() as stack:
        if job.out is not None:
            records = stack.enter_context(plan_records(job.out, with_accounts=job.accounts is not None))
            records.summary.update({"source": job.label, "input_digest": source.digest})
            page = stack.enter_context(writing_plan_page(job.out, _facts(job, source, environ)))
            outputs.takers += [records.add, page.add]
        draft = None
        if job.plan_file is not None:
            _refuse_overwriting(job.plan_file)
            draft = stack.enter_context(writing_plan(job.plan_file, _about(job, source, environ)))
            outputs.takers.append(draft.add)
        yield outputs
    outputs.digest = draft.digest if draft else None


def _facts(job: Job, source: Source, environ: Mapping[str, str]) -> PlanFacts:
    accounts = load_accounts(job.accounts, environ, job)
    paces = {name: accounts.pace(name) for name in ("", *accounts.names)} if accounts.given else {}
    return PlanFacts(job.label, source.digest, system_clock().now(), job.pace, paces)


def _refuse_overwriting(path: Path) -> None:
    """A plan replaces an older plan, and nothing else."""
    if path.exists() and not (path.is_file() and holds_plan(path)):
        raise UsageError(f"{path} exists and is no plan file.", advice="Name another file with -o.")


def _about(job: Job, source: Source, environ: Mapping[str, str]) -> PlanAbout:
    now = system_clock().now()
    decisive = {"reason", "cancel_all", "user_id", "map", "live", "skip_past", "late_within", "select"}
    if job.accounts is not None:
        decisive |= {"account"}
    options = job.model_dump(mode="json", include=decisive)
    return PlanAbout(now, now + job.plan_ttl, api_url(environ), job.label, source.digest, options)
