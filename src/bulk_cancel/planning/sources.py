"""Where a run's rows come from: an input file, a search, or an approved plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_cancel.access.setup import Setup
from bulk_cancel.core.actions import SENT, Action, Approved
from bulk_cancel.core.columns import SNAPSHOT
from bulk_cancel.core.model import InputRow, Target
from bulk_cancel.core.plan import Approval, LookAt, LookSummary, Plan, PlanLine, target_of
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.template import Template
from bulk_cancel.core.text import clean
from bulk_cancel.errors import ConfigError, InputMissingError, NoRowsError, UsageError
from bulk_cancel.inputs import AccountNames, InputOptions, StagedInput, stage_input
from bulk_cancel.plan_files import PlanFile, is_plan, open_plan
from bulk_cancel.planning.closure import check_of_input, check_of_select, check_of_starts
from bulk_cancel.planning.input_of_plan import pin_input
from bulk_cancel.planning.reason_templates import Rows, needs_looks, template_of
from bulk_cancel.settings.environment import canonical_api
from bulk_cancel.settings.job import Job
from bulk_cancel.settings.recorded_command import recorded_command

if TYPE_CHECKING:
    from bulk_cancel.planning.plan_reads import PlanReads


#: How the sentence begins that says why a job has no rows.
NOTHING_TO_DO = "Nothing to do: "


def open_source(setup: Setup, folder: Path) -> Source:
    """Open the source that the job names, with its snapshot in a folder. A plan is verified as a whole."""
    job = setup.job
    if not job.select and is_plan(job.input):
        if given := job.model_fields_set & {"reason", "map", "cancel_all", "account", "hidden_rows", "encoding"}:
            raise ConfigError(
                f"A plan is carried out as it is: {', '.join(sorted(given))} cannot be given with it.",
                advice="Plan again with the other setting, or leave it out.",
            )
        return _open_approved(setup, folder / SNAPSHOT)
    if job.expect_digest is not None:
        raise ConfigError("--expect-digest needs a plan file.", advice="Make one with: bulk-cancel plan … -o FILE.plan")
    selected, notes = _selected(setup, folder) if job.select else (job.input, ())
    accounts = setup.accounts
    names = AccountNames(accounts.names, job.account) if accounts.given else None
    users = {name: user for name in ("", *accounts.names) if (user := accounts.user_id(name))}
    template = template_of(setup)
    with setup.display.busy(f"Reading {clean(job.label)}"):
        staged = stage_input(selected, _options_of(job, template, names), folder / SNAPSHOT)
    return InputFile(
        job, replace(staged, notes=(*notes, *staged.notes)), template, setup.known_zone, setup.machine.environ, users
    )


def _open_approved(setup: Setup, into: Path) -> ApprovedPlan:
    job, now = setup.job, setup.machine.clock.now()
    plan = _of_this_api(open_plan(Path(job.input), now=now, expect_digest=job.expect_digest), setup.api_url)
    if job.retry_refused and not plan.header.retry_refused:
        raise ConfigError(
            "A plan is carried out as it is: this one was made without --retry-refused.",
            advice="Nothing was sent. Plan again with --retry-refused, or leave it out.",
        )
    with setup.display.busy(f"Reading {clean(plan.header.input)}"):
        missing, notes = pin_input(plan, into)
    if missing and job.show:
        raise UsageError(
            f"--show names columns that nothing holds. {missing}", advice="Nothing was sent. Leave it out."
        )
    kept, notes = (None, (missing,)) if missing else (into, notes)
    return ApprovedPlan(plan, setup.known_zone, setup.machine.environ, kept, notes)


def _selected(setup: Setup, folder: Path) -> tuple[str, tuple[str, ...]]:
    from bulk_cancel.planning.search import select_input  # brings HTTP

    file, notes = select_input(setup, folder)
    return str(file), notes


def _options_of(job: Job, template: Template | None, accounts: AccountNames | None) -> InputOptions:
    """Return the options for reading the job's input. A reason with blanks is filled in later, row by row."""
    reason = None if template else job.reason
    return InputOptions(
        job.map,
        reason,
        job.cancel_all,
        accounts,
        blanks=template.names if template else (),
        hidden_rows=job.hidden_rows,
        encoding=job.encoding,
    )


def provenance_of_source(setup: Setup, source: Source) -> Provenance:
    """Return the provenance of a plan or run of a source, with that of an approved plan."""
    return setup.provenance.after(source.approval.provenance) if source.approval else setup.provenance


def retries_refused(setup: Setup, source: Source) -> bool:
    """Return whether refusals are taken up again as they are: an approved plan says it, without one the job."""
    return source.approval.retry_refused if source.approval else setup.job.retry_refused


def open_if_any(setup: Setup, folder: Path) -> Source | str:
    """Return the source, or a sentence why there is nothing to do, when the job allows its input to be missing."""
    job = setup.job
    try:
        return open_source(setup, folder)
    except (InputMissingError, NoRowsError) as error:
        if job.missing_input != "ok" or (isinstance(error, InputMissingError) and not _has_folder(job.input)):
            raise
        sentence = why_nothing(job, error)
        setup.log.info("run.nothing_to_do", why=sentence)
        return sentence


def _has_folder(name: str) -> bool:
    """Return whether the folder of a missing input exists: if not, a disk may not be mounted."""
    return "://" in name or Path(name).parent.is_dir()


def why_nothing(job: Job, error: InputMissingError | NoRowsError) -> str:
    """Return a sentence: why the job has no rows."""
    if job.select is not None:
        return f"{NOTHING_TO_DO}the search found no appointment."
    what = "does not exist" if isinstance(error, InputMissingError) else "has a header and no rows"
    return f"{NOTHING_TO_DO}{job.label} {what}."


def _of_this_api(plan: PlanFile, url: str) -> PlanFile:
    if canonical_api(plan.header.api_url) != canonical_api(url):
        raise ConfigError(
            f"The plan {plan.path} was made for the API at {plan.header.api_url}, not for {url}.",
            advice="Nothing was sent. Correct MEETERGO_API_URL, or plan again.",
        )
    return plan


@dataclass(frozen=True)
class InputFile:
    """An input file, with its snapshot."""

    job: Job
    staged: StagedInput
    template: Template | None  #: the job's reason, when it has blanks
    zone: tzinfo | None  #: in which people live; None: not known
    environ: Mapping[str, str]  #: the variables of the command
    users: Mapping[str, str] = field(default_factory=dict)  #: account -> acting user where a row names none

    @property
    def digest(self) -> str:
        return self.staged.digest

    @property
    def snapshot(self) -> Path:
        return self.staged.path

    @property
    def closure(self) -> str:
        """The command that checks the days of a closure; empty: it is not one."""
        return recorded_command(check_of_select(self.job) or check_of_input(self.staged, self.zone), self.environ)

    def rows(self, reads: PlanReads | None) -> Rows:
        return Rows(self.staged, self.template, reads.seen if reads else {}, self.users)

    @property
    def needs_looks(self) -> bool:
        """Whether its reasons need readings to be filled in."""
        return needs_looks(self.template, self.staged.columns)

    @property
    def approval(self) -> None:
        return None


@dataclass
class ApprovedPlan:
    """A plan file, which is carried out exactly as it is."""

    plan: PlanFile
    zone: tzinfo | None  #: in which people live; None: not known
    environ: Mapping[str, str]  #: the variables of the command
    snapshot: Path | None = None  #: of the input that it was made of; None: its columns are not available
    notes: tuple[str, ...] = ()  #: sentences for people
    approved: dict[Target, Approved] = field(default_factory=dict)
    needs_looks: bool = False  #: its reasons are filled in already

    def __post_init__(self) -> None:
        self.approved = {target: approved for _, target, approved in self.plan.approved()}

    @property
    def approval(self) -> Approval:
        header = self.plan.header
        given = Provenance(ticket=header.ticket, approved_by=header.approved_by, plan_digest=self.plan.digest)
        rows = (self.approved, self.plan.approved)
        return Approval(header.expires_at, *rows, given, header.input, header.retry_refused)

    @property
    def digest(self) -> str:
        return self.plan.digest

    @property
    def closure(self) -> str:
        starts = (one.seen.start for one in self.approved.values() if one.action in SENT)
        return recorded_command(check_of_starts(starts, self.zone), self.environ)

    def rows(self, reads: PlanReads | None) -> ApprovedPlan:
        return self

    def chunks(self) -> Iterator[list[InputRow]]:
        """Yield the plan's rows. Where it sends nothing, refusals of earlier runs stand."""
        for rows in self.plan.rows():
            yield [row._replace(stands=True) if self._left_out(row) else row for row in rows]

    def _left_out(self, row: InputRow) -> Approved | None:
        """Return what was approved of a row that the plan leaves out; None of any other."""
        approved = self.approved.get(target_of(row)) if row.problems is None else None
        return approved if approved and approved.action not in SENT else None

    filled_chunks = chunks

    def look_of(self, plan: Plan) -> LookSummary | None:
        """Return what was read of a run's cancels when they were approved; None when some of them are settled."""
        header = self.plan.header
        return self.plan.look(self.approved.values()) if plan.cancels == header.actions.get(Action.CANCEL) else None

    def look(self, look: LookAt | None) -> LookAt:
        """Return a function that reads with `look` all lines that the plan does not leave out."""

        def looked(lines: Sequence[PlanLine]) -> Sequence[PlanLine]:
            marked = [self._marked(line) for line in lines]
            return look(marked) if look else marked

        return looked

    def _marked(self, line: PlanLine) -> PlanLine:
        approved = self.approved.get(target_of(line.row)) if line.action is Action.CANCEL else None
        if approved is None:
            return line
        if approved.action not in SENT:
            return replace(line, action=approved.action, why=approved.why)
        return replace(line, was_group=approved.is_for_a_group)


Source = InputFile | ApprovedPlan
PlannedRows = Rows | ApprovedPlan
