"""The end of a run: its summary, its result files, its record in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bulk_cancel.access.setup import Setup
from bulk_cancel.core.exit_codes import Halt, Remains, decide_exit, stands
from bulk_cancel.core.model import Status
from bulk_cancel.core.outcome import CACHED
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.text import counted
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.counters import Counters
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd
from bulk_cancel.errors import Exit
from bulk_cancel.execution.active_accounts import about_left, credential_of, pace_of
from bulk_cancel.execution.execute import RunFacts
from bulk_cancel.ledger.port import Concern, Ledger, RunRecord
from bulk_cancel.reports.next_step import NOT_ENDED
from bulk_cancel.reports.records import Wanted
from bulk_cancel.reports.remains import (
    earlier_runs,
    has_expired,
    newest_left,
    remains_elsewhere,
    remains_of_ledger,
    remains_of_run,
)
from bulk_cancel.reports.result_folders import folder_of
from bulk_cancel.reports.run_files import write_run
from bulk_cancel.reports.summary import Ending, Requests, Summary, next_step, to_json, write_summary


@dataclass(frozen=True, slots=True)
class Effort:
    """The requests of a run, its duration, and its limit."""

    all_counters: Mapping[str, Sequence[Counters]]  #: by account
    by_account: bool  #: whether the summary lists accounts
    elapsed_s: float
    pace: Pace | None

    @property
    def counters(self) -> list[Counters]:
        """Those of all accounts."""
        return [counters for all_counters in self.all_counters.values() for counters in all_counters]


def conclude(setup: Setup, facts: RunFacts, end: RunEnd) -> Summary:
    """Write the result files and the summary, from the ledger alone; this does not count as the run's time."""
    job = setup.job
    elapsed_s = facts.clock.monotonic() - facts.began
    all_counters = {account.name: [account.counters] for account in facts.active}
    effort = Effort(all_counters, job.accounts is not None, elapsed_s, pace_of(facts.active) or job.pace)
    summary = summarised(facts, end, effort)
    record_end(facts, summary, setup)
    return summary


def record_end(facts: RunFacts, summary: Summary, setup: Setup) -> None:
    """Record the run's end in the ledger and in its files."""
    ledger, log = facts.ledger, setup.log
    document = to_json(summary)
    ledger.end_run(facts.run_no, facts.clock.now(), document)
    if facts.out is not None:
        (run,) = ledger.runs(facts.run_id)
        wanted = Wanted(excel=setup.job.excel, show=setup.job.show)
        with setup.display.busy("Writing the results"):
            missing = write_run(ledger, run, facts.out, facts.clock.now(), wanted)
        if missing:
            log.warning("run.no_workbook", why=missing)
        write_summary(document, facts.out)
    counts = {status.value: count for status, count in summary.counts.items() if count}
    log.info("run.ended", run_id=facts.run_id, exit_code=int(summary.exit_code), **counts)


def summary_of_unended(ledger: Ledger, run: RunRecord, out: Path, clock: Clock) -> Summary:
    """Return the summary of a run that has not ended, from the ledger alone, which does not count reads."""
    facts = RunFacts(run.run_id, run.run_no, ledger, out, clock, 0.0, provenance=run.provenance)
    span = ledger.send_span(run.run_no)
    effort = Effort({}, by_account=False, elapsed_s=max(0.0, span[1] - run.started_at) if span else 0.0, pace=None)
    end = RunEnd(Halt(Exit.STOPPED, NOT_ENDED), Reconciled())
    return replace(summarised(facts, end, effort), requests=None)


def requests_of(all_counters: Sequence[Counters]) -> Requests:
    """Return the sum of the requests."""
    return Requests(
        posts=sum(counters.posts for counters in all_counters),
        unseen=sum(counters.unseen for counters in all_counters),
        gets=sum(counters.gets for counters in all_counters),
        throttled=sum(counters.throttled for counters in all_counters),
    )


def _about_cache(effort: Effort) -> str:
    cached = sum(counters.cached for counters in effort.counters)
    old = counted(cached, "answer was", "answers were")
    return f"{CACHED[0].upper()}{CACHED[1:]}; {old} too old to send by." if cached else ""


def _why_halted(halt: Halt | None, matter: Remains) -> str:
    """Return the sentence of what halted a run; empty where the halt stopped nothing, since all is settled.

    That a run was killed before its end is always told.
    """
    is_told = halt and (stands(halt, matter) or matter.for_reads or halt.message == NOT_ENDED)
    return halt.message if halt and is_told else ""


def _ending(facts: RunFacts, end: RunEnd, effort: Effort, matter: Remains, elsewhere: Remains) -> Ending:
    found, now = end.reconciled, facts.clock.now()
    exit_code = decide_exit(matter, end.halt, elsewhere)
    cache = _about_cache(effort) if exit_code is not Exit.OK else ""
    run = next(iter(facts.ledger.runs(facts.run_id)), None)
    may_be_settled = found.unknown and (matter.for_reads or elsewhere.for_reads)
    return Ending(
        remains=matter,
        exit_code=exit_code,
        elsewhere=elsewhere,
        # When a reconcile was stopped, it is not known when the other outcomes are due.
        due_at=now + found.due_in_s if may_be_settled and not end.halt else None,
        halt=" ".join(filter(None, (_why_halted(end.halt, matter), about_left(facts.left), cache))),
        credential=credential_of(facts.active),
        expired_in=str(facts.out or "") if has_expired(facts.ledger, facts.run_no, now) else "",
        ledger=facts.ledger.place,
        run=run,
        left_by=newest_left(facts.ledger) if matter.sendable else "",
        out=str(folder_of(run)) if run else "",
        zone=facts.zone,
    )


def summarised(facts: RunFacts, end: RunEnd, effort: Effort) -> Summary:
    """Return the summary of a run, from the ledger and from its end."""
    ledger = facts.ledger
    remains = remains_of_run(ledger, facts.run_no)
    counts = remains.counts
    if counts:
        told = sum(facts.left.values())  # outcomes that cannot be read here
        matter = replace(remains, counts=Counter(counts) + Counter({Status.UNKNOWN: told}))
    else:
        matter = remains_of_ledger(ledger)
        told = matter.count(Status.UNKNOWN)
    others = remains_elsewhere(ledger, facts.run_no, matter, told)
    ending = _ending(facts, end, effort, matter, others)
    by_account = {name: requests_of(all_counters) for name, all_counters in effort.all_counters.items()}
    requests = requests_of(effort.counters)
    return Summary(
        run_id=facts.run_id,
        rows=sum(counts.values()),
        targets=ledger.target_count(facts.run_no),
        counts=counts,
        requests=requests,
        accounts=by_account if effort.by_account else {},
        elapsed_s=effort.elapsed_s,
        exit_code=ending.exit_code,
        out=str(facts.out) if facts.out else None,
        ledger=ledger.place,
        next=next_step(ending),
        pace=effort.pace,
        paid=ledger.concerns(facts.run_no)[Concern.PAID],
        closure=facts.closure if requests.posts and counts.get(Status.CANCELLED) else "",
        provenance=facts.provenance,
        earlier={run.run_id: run.provenance for run in earlier_runs(ledger, facts.run_id)},
    )
