"""The outputs of a plan's lines: the plan file, the audit files, the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_cancel.access.setup import Setup
from bulk_cancel.errors import UsageError
from bulk_cancel.plan_files import READ_AS, PlanDraft, PlanHeader, holds_plan, options_digest, writing_plan
from bulk_cancel.planning.sources import Source, provenance_of_source, retries_refused

if TYPE_CHECKING:
    from bulk_cancel.core.plan import Plan, PlanLine
    from bulk_cancel.reports.pages.plan_page import PlanFacts


@dataclass
class PlanOutputs:
    """Passes the lines of a plan, and then the whole of it, to the files that the job asks for."""

    takers: list[Callable[[PlanLine], None]] = field(default_factory=list)
    draft: PlanDraft | None = None  #: of the plan file
    plan: Plan | None = None  #: of all lines, with its hours and notes

    @property
    def digest(self) -> str | None:
        """The plan file's digest, once it is in its place, which is before the page is written."""
        return self.draft.digest if self.draft else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people, once all lines are taken."""
        return self.plan.notes if self.plan else ()

    def add(self, line: PlanLine) -> None:
        for take in self.takers:
            take(line)

    def conclude(self, plan: Plan) -> None:
        """Take the whole plan, after its last line and before the files are written."""
        self.plan, look = plan, plan.look
        if self.draft and look:
            self.draft.about = replace(
                self.draft.about, mailed=look.mailed, mailed_again=look.mailed_again, paid=look.paid
            )


@contextmanager
def plan_outputs(setup: Setup, source: Source) -> Iterator[PlanOutputs]:
    """Yield a taker of a plan's lines; after the block the plan file and the audit files are in their place."""
    job, outputs = setup.job, PlanOutputs()
    with ExitStack() as stack:
        if job.out is not None:
            outputs.takers += _audit_files(stack, outputs, setup, source)
        if job.plan_file is not None:
            _refuse_overwriting(job.plan_file)
            outputs.draft = stack.enter_context(writing_plan(job.plan_file, _header(setup, source)))
            outputs.takers.append(outputs.draft.add)
        yield outputs


def _audit_files(
    stack: ExitStack, outputs: PlanOutputs, setup: Setup, source: Source
) -> list[Callable[[PlanLine], None]]:
    """Open the audit files and the page of a plan. Their writers are imported here, since most plans have none."""
    from bulk_cancel.reports.pages.plan_page import writing_plan_page
    from bulk_cancel.reports.plan_records import plan_records

    out = setup.job.out or Path()
    records = stack.enter_context(plan_records(out, setup.zone, with_accounts=setup.job.accounts is not None))
    about = {"source": setup.job.label, "input_digest": source.digest}
    known = provenance_of_source(setup, source).document()
    records.summary.update({**about, "api_url": setup.api_url, "provenance": known})
    # Called after the plan file is in its place, and before these are written.
    stack.callback(lambda: records.summary.update(plan_digest=outputs.digest, notes=outputs.notes))
    page = stack.enter_context(writing_plan_page(out, _facts(setup, source, outputs)))
    return [records.add, page.add]


def _facts(setup: Setup, source: Source, outputs: PlanOutputs) -> PlanFacts:
    from bulk_cancel.reports.pages.plan_page import PlanFacts
    from bulk_cancel.reports.shown_columns import shown_columns

    job, accounts = setup.job, setup.accounts
    paces = {name: accounts.pace(name) for name in ("", *accounts.names)} if accounts.given else {}
    return PlanFacts(
        job.label,
        source.digest,
        setup.machine.clock.now(),
        job.pace,
        paces,
        lambda: outputs.notes,
        source.closure,
        provenance_of_source(setup, source),
        lambda: outputs.digest,
        shown_columns(source.snapshot, job.show).on,
        lambda: outputs.plan.hours if outputs.plan else setup.hours,
        setup.zone,
        lambda: outputs.plan.look if outputs.plan else None,
    )


def _refuse_overwriting(path: Path) -> None:
    """Raise UsageError when a file exists that is not a plan."""
    if path.exists() and not (path.is_file() and holds_plan(path)):
        raise UsageError(f"{path} exists and is not a plan file.", advice="Name another file with -o.")


def _header(setup: Setup, source: Source) -> PlanHeader:
    """Return the header of the plan file without its counts."""
    job, now = setup.job, setup.machine.clock.now()
    decisive = {
        "reason",
        "cancel_all",
        "user_id",
        "map",
        "look",
        "skip_past",
        "late_within",
        "select",
        "hidden_rows",
        "encoding",
    }
    if job.accounts is not None:
        decisive |= {"account"}
    retry = retries_refused(setup, source)
    options = {**job.model_dump(mode="json", include=decisive), "retry_refused": retry}
    return PlanHeader(
        now,
        now + job.plan_ttl,
        setup.api_url,
        job.label,
        source.digest,
        options_digest(options),
        ticket=job.ticket,
        approved_by=job.approved_by,
        timezone=str(setup.zone),
        read_as={name: options[name] for name in READ_AS if options[name]},
        retry_refused=retry,
    )
