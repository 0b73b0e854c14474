"""`run` and `plan`: parse, call, render."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bulk_cancel.cli.prompt import ask, leave_to_workers
from bulk_cancel.cli.render import show_plan, show_summary
from bulk_cancel.cli.stdout import errors_told, put_document, put_out, this_machine
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.core.moments import Zone, read_in, write_moment
from bulk_cancel.core.plan import LookSummary, Plan
from bulk_cancel.core.text import printable
from bulk_cancel.errors import Exit, NotApprovedError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.ops.logs import make_log
from bulk_cancel.ops.progress import make_display
from bulk_cancel.ops.uptime import uptime
from bulk_cancel.reports.next_step import command, typed
from bulk_cancel.reports.summary import Summary, to_json
from bulk_cancel.settings.job import Job, load_job


def run_command(source: str, **flags: object) -> None:
    """Run a job; end with the run's exit code."""
    job = load_job(source, flags)
    with told_as_json(job):
        if job.dry_run:
            _plan(job)
        else:
            _run(job)


def _run(job: Job) -> None:
    from bulk_cancel.commands.run import run_and_tell

    terminal, approved = Terminal(err=True), False

    def approve(plan: Plan) -> bool:
        nonlocal approved
        if not job.quiet:
            show_plan(terminal, plan, job.label, runs=True)
        approved = job.yes or ask(terminal, plan, job.label)
        return approved

    try:
        summary = run_and_tell(job, caller_of(job, approve))
    except KeyboardInterrupt:
        if approved:
            raise
        raise NotApprovedError from None
    finish(job, summary)


def caller_of(job: Job, approve: Any = lambda _: True) -> Caller:
    """Return the caller of a command line."""
    log = make_log(job.log_format, job.log_file, quiet=job.quiet)
    return Caller(this_machine(), log, make_display(log, quiet=job.quiet), approve, leave=leave_to_workers)


def finish(job: Job, summary: Summary) -> None:
    """Show the summary and end with its exit code."""
    if job.json_:
        put_out(to_json(summary))
    if not job.quiet:
        show_summary(Terminal(err=True), summary)
    elif summary.exit_code:  # cron mails this output
        what = f"bulk-cancel: run {summary.run_id} ended with {int(summary.exit_code)}."
        Terminal(err=True).print(f"{what} {printable(summary.next)}", whole=True)
    raise SystemExit(int(summary.exit_code))


@contextmanager
def told_as_json(job: Job) -> Iterator[None]:
    """With --json, write an error in the block to stdout as well, as a JSON document. Times are the job's."""
    from bulk_cancel.plan_files import zone_of_plan

    with read_in(job.zone or zone_of_plan(Path(job.input))), errors_told(as_json=job.json_):
        yield


def plan_command(source: str, **flags: object) -> None:
    """Plan a job."""
    job = load_job(source, flags)
    with told_as_json(job):
        _plan(job)


def _plan(job: Job) -> None:
    from bulk_cancel.commands.plan import plan_job

    plan = plan_job(job, caller_of(job))
    if job.json_:
        put_document(_document(plan, job.label))
    else:
        show_plan(Terminal(), plan, job.label)
        if plan.digest:
            put_out(f"Plan file {job.plan_file}\n  digest  {plan.digest}\n")
        for line in _after_a_plan(job, plan):
            put_out(f"{line}\n")
    raise SystemExit(int(Exit.REFUSED_ROWS if plan.invalid else Exit.OK))


def _after_a_plan(job: Job, plan: Plan) -> Iterator[str]:
    """Yield how the plan is looked at, and how the plan file is carried out."""
    file = shlex.quote(str(job.plan_file))
    looks = [str(job.out / "plan.html")] if job.out and not plan.nothing else []
    if plan.digest:
        looks.append(command(f"show {file}", ""))
    if looks:
        yield f"To look at it before you approve: {' or '.join(looks)}"
    if plan.digest and plan.may_send:
        ledger = plan.place.ledger if plan.place and job.ledger else ""
        yield typed(command(f"run {file} --expect-digest {plan.digest}", ledger), ", once it is approved")


def _document(plan: Plan, source: str) -> dict[str, Any]:
    accounts = {  # the empty name is the run's own credential
        name: {"cancels": plan.shares[name].cancels, "duration_s": round(plan.duration_of(name), 1)}
        for name in plan.paces
    }
    return {
        "source": source,
        "rows": plan.rows,
        "targets": plan.targets,
        "actions": {action.value: count for action, count in sorted(plan.actions.items())},
        "settled": {state.value: count for state, count in sorted(plan.settled.items())},
        "reasons": {"own": plan.own_reasons, "given": plan.given_reasons, "none": plan.no_reasons},
        "notes": list(plan.notes),
        "duration_s": round(plan.duration_s, 1),
        **({"accounts": accounts} if plan.paces else {}),
        **({"look": _look_document(plan.look, plan.hours.zone)} if plan.look else {}),
        **({"digest": plan.digest} if plan.digest else {}),
        **({"closure": plan.closure} if plan.closure else {}),
        **({"place": asdict(plan.place)} if plan.place else {}),
        "provenance": plan.provenance.document(),
        **({"nothing": plan.nothing} if plan.nothing else {}),
        **({"left_s": round(plan.time.left_s(uptime()), 1)} if plan.time else {}),
        "exit_code": int(Exit.REFUSED_ROWS if plan.invalid else Exit.OK),
    }


def _look_document(look: LookSummary, zone: Zone) -> dict[str, Any]:
    first, last = look.starts or (None, None)
    return {
        "unseen": look.unseen,
        **({"offline": look.offline} if look.offline else {}),
        **({"unreadable": look.unreadable} if look.unreadable else {}),
        "requests": look.requests,
        "mailed": look.mailed,
        "mailed_again": look.mailed_again,
        "paid": look.paid,
        "hosts": len(look.hosts),
        "first_start": write_moment(first, zone) or None,
        "last_start": write_moment(last, zone) or None,
    }
