"""What is open after a run, read from the ledger, for run, status, reconcile and report alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from bulk_cancel.core.exit_codes import BAD, Remains, decide_exit
from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.states import OPEN
from bulk_cancel.errors import Exit, LedgerError
from bulk_cancel.ledger.port import ALL_RUNS, Concern, Ledger, RunRecord, every_unknown
from bulk_cancel.reports.result_folders import folder_of
from bulk_cancel.reports.summary import Ending, next_step, read_told

#: What runs before so many last ones left to a person is told no more.
MOST_RUNS = 20
#: Runs that are looked through for those of the same input, and most of these that are named.
_MOST_LOOKED, _MOST_NAMED = 1000, 20


def counts_by_status(ledger: Ledger, run_no: int) -> Counter[Status]:
    """Return the number of a run's rows by their status now."""
    counts: Counter[Status] = Counter()
    for state, count in ledger.counts(run_no).items():
        counts[status_of(state)] += count
    return counts


def remains_of_run(ledger: Ledger, run_no: int) -> Remains:
    """Return what is still open of a run's rows now."""
    concerns = ledger.concerns(run_no)
    person = {name.value: concerns[name] for name in (Concern.UNDECIDED, Concern.CHANGED, Concern.WARNED)}
    return Remains(counts_by_status(ledger, run_no), **person)


def is_as_told(run: RunRecord, remains: Remains) -> bool:
    """Return whether a run's rows are now as they were at its end."""
    return read_told(run).get("counts") == {status.value: remains.count(status) for status in Status}


def next_now(ledger: Ledger, run: RunRecord, remains: Remains, out: Path, now: float) -> str:
    """Return what to do next after a run, by its rows as they are now (`remains`), which were written into `out`.

    What it told at its end stays, as long as it is true.
    """
    told = read_told(run)
    expired_in = str(out) if has_expired(ledger, run.run_no, now) else ""
    if is_as_told(run, remains) and not expired_in and out.resolve() == folder_of(run).resolve():
        return str(told["next"])
    exit_code = Exit(told["exit_code"]) if told and remains.count(Status.PENDING) else decide_exit(remains)
    return next_step(
        Ending(remains, exit_code, expired_in=expired_in, ledger=ledger.place, run=run, out=str(out), zone=run.zone)
    )


def remains_of_ledger(ledger: Ledger) -> Remains:
    """Return what is still open of all inputs, for a reconcile, which has no rows of its own."""
    return Remains(
        {Status.UNKNOWN: ledger.unknown_count()},
        undecided=sum(item.undecided for item in every_unknown(ledger)),
        sendable=ledger.waiting_count(),
    )


def left_to_a_person(ledger: Ledger, limit: int = MOST_RUNS) -> Mapping[int, Remains]:
    """Return what the last runs left to a person, by their numbers, the newest first: rows to correct or to look at.

    Of each input only its newest run counts, by the name of the input, and of failed.csv and invalid.csv nothing once
    a later run took that file for its input.
    """
    found, sources = dict[int, Remains](), list[str]()
    for record in ledger.runs(limit=limit):
        if not record.input_digest:
            continue
        if _input_of(record) not in sources and not _ended_well(record):
            rows = remains_of_run(ledger, record.run_no)
            counted = (status for name, status in _to_correct() if not _is_run(record, name, sources))
            counts = {status: rows.count(status) for status in counted}
            left = Remains(counts, changed=rows.changed, warned=rows.warned)
            if left.for_a_person:
                found[record.run_no] = left
        sources.append(_input_of(record))
    return found


def _to_correct() -> Iterator[tuple[str, Status]]:
    """Yield each status of rows that a person has to correct, after the file that has them."""
    for status in BAD:
        yield "invalid.csv" if status is Status.INVALID else "failed.csv", status


def _input_of(record: RunRecord) -> str:
    """Return the name of a run's input: a search, and stdin, by the command that read them."""
    return f"{record.source} {record.provenance.command}" if record.source in ("-", "[select]") else record.source


def _is_run(record: RunRecord, name: str, sources: Collection[str]) -> bool:
    """Return whether a file of the run's results is one of these inputs, which may be named relative to a folder."""
    file = (folder_of(record) / name).parts
    return any(file[-len(parts) :] == parts for source in sources if (parts := Path(source).parts))


def _ended_well(record: RunRecord) -> bool:
    with suppress(LedgerError):  # of a summary that is not ours, which `status` and `ledger verify` tell
        return record.status == "ended" and read_told(record).get("exit_code", Exit.OK) == Exit.OK
    return False


def remains_elsewhere(ledger: Ledger, run_no: int, here: Remains, told: int = 0) -> Remains:
    """Return what other inputs than that of a run left open: unknown targets, as pending those still to be sent, and
    rows for a person.

    `here` is what the run's own rows leave; `told`: number of unknown targets of others that it counts as well.
    """
    to_send = sum(count for other, count in ledger.left_by_run().items() if other != run_no) - here.sendable
    own = sum(count for state, count in ledger.targets_by_state(run_no).items() if state in OPEN)
    unknown = max(0, ledger.unknown_count() - own - told)
    undecided = 0
    if unknown:
        own_ones = {row.target for row in ledger.concerning_rows(run_no, Concern.UNDECIDED, here.undecided)}
        undecided = sum(item.undecided and item.work.target not in own_ones for item in every_unknown(ledger))
    counts, changed, warned = Counter({Status.UNKNOWN: unknown, Status.PENDING: max(0, to_send)}), 0, 0
    for other, left in left_to_a_person(ledger).items():
        if other != run_no:
            counts.update(left.counts)
            changed, warned = changed + left.changed, warned + left.warned
    return Remains(counts, undecided=min(unknown, undecided), changed=changed, warned=warned)


def newest_left(ledger: Ledger) -> str:
    """Return the id of the newest run that left targets to be sent; empty: none did."""
    left = ledger.left_by_run()
    return next((run.run_id for run in ledger.runs(limit=ALL_RUNS) if left.get(run.run_no)), "")


def earlier_runs(ledger: Ledger, run_id: str) -> list[RunRecord]:
    """Return the runs before this one that read the same input and sent cancels of it, the newest first.

    A later run sends nothing of what they settled, and need not name their ticket and approver.
    """
    (run,) = ledger.runs(run_id)
    if not run.input_digest:
        return []
    same = (other for other in ledger.runs(limit=_MOST_LOOKED) if other.input_digest == run.input_digest)
    before = (other for other in same if other.run_no < run.run_no)
    return [*islice((other for other in before if ledger.send_span(other.run_no)), _MOST_NAMED)]


def keep_expiry(ledger: Ledger, run_no: int, expires_at: float) -> None:
    """Record when the plan of a run expires, seconds since the epoch."""
    ledger.bind(_expiry_key(run_no), repr(expires_at))


def has_expired(ledger: Ledger, run_no: int, now: float) -> bool:
    """Return whether a run carried out a plan that has expired."""
    expires_at = ledger.meta(_expiry_key(run_no))
    return expires_at is not None and now >= float(expires_at)


def _expiry_key(run_no: int) -> str:
    return f"plan_expires_at:{run_no}"
