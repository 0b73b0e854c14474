"""The invariants of a fault run, checked from everything that can be observed from outside.

`violations` takes what a run, or a series of killed and repeated runs, left behind. It returns a sentence for each
broken invariant, with its number; `docs/testing.md` lists them. How the runs were made to fail it does not know.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl

from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.states import DONE, Event, State
from bulk_cancel.ledger.port import RowRecord
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.sandbox.instance import Sandbox
from bulk_cancel.sandbox.record import Arrival
from bulk_cancel.sandbox.world import CANARY
from support.worlds import own_effects

#: Arrivals are noted when the server's loop gets to them; on a busy machine that clusters them.
ARRIVAL_JITTER_S = 0.25
GOOD = frozenset({Status.CANCELLED, Status.ALREADY_CANCELLED, Status.SKIPPED})
NOT_APPLIED = frozenset(
    {State.PENDING, State.WAITING, State.REJECTED, State.NOT_FOUND, State.FAILED, State.SKIPPED}
)  #: the ledger says that nothing of it took effect
PROVEN_NOT_APPLIED = frozenset({Event.NOT_APPLIED, Event.CREDENTIAL_REFUSED})
CORRECTIONS = {
    "failed.csv": {Status.REJECTED, Status.FAILED, Status.NOT_FOUND},
    "unknown.csv": {Status.UNKNOWN},
    "unprocessed.csv": {Status.PENDING},
    "invalid.csv": {Status.INVALID},
}


@dataclass(frozen=True, slots=True)
class Crash:
    """A copy of the ledger, taken when its process was dead, and the cancels that had arrived by then."""

    ledger: Path
    posts: Mapping[str, int]  #: arrivals by appointment


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that came to its end by itself or by a signal."""

    code: int  #: negative: the signal
    stdout: str
    stderr: str
    out: Path


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a series of runs over one ledger and one input left behind."""

    sandbox: Sandbox
    ledger: Path
    input: Path
    folder: Path  #: everything that was written is below it
    settle_s: float
    runs: Sequence[Ended]
    crashes: Sequence[Crash] = ()
    tokens: Sequence[str] = ()
    elsewhere: frozenset[str] = frozenset()  #: cancelled by somebody else
    without: frozenset[int] = frozenset()  #: invariants that cannot be judged, such as 5 when the clock was set


def posts_by_appointment(arrivals: Sequence[Arrival]) -> Counter[str]:
    """Count the cancels that reached the server, answered or not."""
    return Counter(str(arrival.target) for arrival in arrivals if arrival.method == "POST")


def check(evidence: Evidence) -> None:
    """Fail with every broken invariant."""
    broken = violations(evidence)
    assert not broken, "\n".join(broken)


def violations(evidence: Evidence) -> list[str]:
    """Return what is broken, in sentences."""
    seen = _Seen(evidence)
    judged = {number: find for number, find in _INVARIANTS.items() if number not in evidence.without}
    return [f"invariant {number}: {sentence}" for number, find in judged.items() for sentence in find(seen)]


@dataclass(frozen=True, slots=True)
class Past:
    """What one state of the ledger says: whether it is whole, its events, its targets."""

    wrong: Sequence[str]
    events: Sequence[tuple[Any, ...]]  #: appointment, attendee, series, run, event, attempt, at, status, detail
    states: Mapping[str, State]
    rows: Sequence[RowRecord]  #: of its newest run

    def events_of(self, appointment_id: str) -> list[tuple[Event, float]]:
        """The history of one appointment's target, with times."""
        return [(Event(event[4]), event[6]) for event in self.events if event[0] == appointment_id]

    def intents(self) -> Counter[str]:
        """How many sends of each appointment were announced."""
        return Counter(event[0] for event in self.events if event[4] == Event.INTENT)


def read_past(path: Path) -> Past:
    """Read a ledger without changing it."""
    ledger = SqliteLedger.open_to_read(path)
    try:
        runs = [run for run in ledger.runs(limit=1000) if run.input_digest]
        rows = ledger.rows(runs[0].run_no, 0, 1_000_000) if runs else []
        events = list(ledger.all_events())
        named = {str(event[0]) for event in events} | {row.target.appointment_id for row in rows if row.target}
        states = {name: work.state for name in named for work in ledger.find_targets(name)}
        return Past(ledger.verify(), events, states, rows)
    finally:
        ledger.close()


class _Seen:
    """Everything that is looked at, read once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.truth = evidence.sandbox.truth()
        self.arrivals = evidence.sandbox.arrivals()
        self.now = read_past(evidence.ledger)
        self.then = [read_past(crash.ledger) for crash in evidence.crashes]

    @property
    def pasts(self) -> list[Past]:
        return [*self.then, self.now]


def _never_twice(seen: _Seen) -> Iterator[str]:
    for target, times in seen.truth.applied.items():
        if times > 1:
            yield f"{times} cancels took effect on {target}."
    with seen.evidence.input.open(encoding="utf-8-sig", newline="") as file:
        listed = {cell.lower() for row in csv.reader(file) for cell in row}
    for target in seen.truth.applied:
        if target.partition("/")[0] not in listed:
            yield f"{target} was cancelled, but no row of the input names it."


def _intent_before_post(seen: _Seen) -> Iterator[str]:
    moments = [(crash.posts, past) for crash, past in zip(seen.evidence.crashes, seen.then, strict=True)]
    for posts, past in [*moments, (posts_by_appointment(seen.arrivals), seen.now)]:
        intents = past.intents()
        for target, count in posts.items():
            if count > intents[target]:
                yield f"{count} cancels of {target} arrived, but the ledger held {intents[target]} intents then."


def _history_only_grows(seen: _Seen) -> Iterator[str]:
    for number, past in enumerate(seen.pasts, 1):
        for sentence in past.wrong:
            yield f"ledger after process {number}: {sentence}"
    for number, (before, after) in enumerate(pairwise(seen.pasts), 1):
        if list(after.events[: len(before.events)]) != list(before.events):
            yield f"the history after crash {number} is not the beginning of the later one."
        for target, state in before.states.items():
            if state in DONE and after.states.get(target) is not state:
                yield f"{target} was {state.value} after crash {number} and is {after.states.get(target)} now."


def _states_tell_the_truth(seen: _Seen) -> Iterator[str]:
    if seen.truth.late:
        yield f"{seen.truth.late} cancels are still to take effect: wait for them before checking."
    for target, state in seen.now.states.items():
        applied = seen.truth.applied.get(target, 0)
        if state is State.CANCELLED and not applied and target not in seen.evidence.elsewhere:
            yield f"{target} is marked cancelled, but no cancel of it took effect."
        if state in NOT_APPLIED and own_effects(seen.truth, target):
            yield f"{target} is marked {state.value}, but a cancel of it took effect."


def _unknown_leaves_by_evidence(seen: _Seen) -> Iterator[str]:
    reads = Counter(arrival.target for arrival in seen.arrivals if arrival.method == "GET")
    for target in seen.now.states:
        history = seen.now.events_of(target)
        active = [number for number, (event, _) in enumerate(history) if event is Event.SEEN_ACTIVE]
        if reads[target] < 2 * len(active):
            yield f"{target} was held for active {len(active)} times after {reads[target]} reads."
        for number in active:
            on_its_way = (Event.INTENT, Event.NO_PROOF)
            waited_s = history[number][1] - max(at for event, at in history[:number] if event in on_its_way)
            if waited_s < seen.evidence.settle_s:
                yield f"{target} was held for active {waited_s:.2f} s after it was given up, before the settle time."
    yield from _hasty_repetitions(seen)


def _hasty_repetitions(seen: _Seen) -> Iterator[str]:
    """Between two sends of a target whose first one stayed without proof there must be two reads of it."""
    for target, count in posts_by_appointment(seen.arrivals).items():
        open_ends = [event for event, _ in seen.now.events_of(target) if event in (Event.NO_PROOF, Event.RECOVERED)]
        if count < 2 or not open_ends:
            continue
        own = "".join(arrival.method[0] for arrival in seen.arrivals if arrival.target == target)
        hasty = sum(len(reads) < 2 for reads in own.split("P")[1:-1])
        proven = sum(event in PROVEN_NOT_APPLIED for event, _ in seen.now.events_of(target))
        if hasty > proven:
            yield f"{target} was sent again {hasty} times with fewer than two reads in between."


def _every_row_is_accounted_for(seen: _Seen) -> Iterator[str]:
    for number, run in enumerate(seen.evidence.runs, 1):
        if run.code >= 0 and run.stdout.startswith("{") and (run.out / "results.csv").exists():
            yield from (f"run {number}: {sentence}" for sentence in _disagreements(seen, run))
    last = seen.evidence.runs[-1]
    statuses = [row["status"] for row in _records(last.out / "results.csv")]
    known = [status_of(row.state).value for row in seen.now.rows]
    if statuses and statuses != known:
        yield "results.csv of the last run and the ledger disagree."


def _disagreements(seen: _Seen, run: Ended) -> Iterator[str]:
    told = json.loads(run.stdout)
    if "counts" not in told:
        return
    rows = _records(run.out / "results.csv")
    given = _records(seen.evidence.input)
    if [row["appointment_id"] for row in rows] != [row["appointment_id"] for row in given]:
        yield f"results.csv has {len(rows)} rows that are not the {len(given)} rows of the input, in their order."
    counts = Counter(row["status"] for row in rows)
    if counts != Counter({status: count for status, count in told["counts"].items() if count}):
        yield f"results.csv counts {dict(counts)}, the summary {told['counts']}."
    if told["rows"] != len(given):
        yield f"the summary speaks of {told['rows']} rows, the input has {len(given)}."
    if told != json.loads((run.out / "summary.json").read_text(encoding="utf-8")):
        yield "summary.json is not what was printed."
    if told["exit_code"] != run.code:
        yield f"the summary says exit code {told['exit_code']}, the process ended with {run.code}."
    if run.code == 0 and not set(counts) <= {status.value for status in GOOD}:
        yield f"exit code 0 with rows that are not final and good: {dict(counts)}."
    yield from _wrong_corrections(run.out, rows)


def _wrong_corrections(out: Path, rows: list[dict[str, str]]) -> Iterator[str]:
    for name, statuses in CORRECTIONS.items():
        expected = [row["appointment_id"] for row in rows if row["status"] in statuses]
        found = [row["appointment_id"] for row in _records(out / name)]
        if found != expected:
            yield f"{name} has {len(found)} rows, results.csv has {len(expected)} rows for it."
        if not expected and (out / name).exists():
            yield f"{name} exists although it has no rows."


def _records(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _nothing_left_means_nothing_sent(seen: _Seen) -> Iterator[str]:
    ended = [json.loads(run.stdout) for run in seen.evidence.runs if run.code == 0 and run.stdout.startswith("{")]
    for told in ended[1:]:
        if told["requests"]["posts"]:
            yield f"a run after a complete one sent {told['requests']['posts']} cancels."


def _within_the_limit(seen: _Seen) -> Iterator[str]:
    options = seen.evidence.sandbox.options
    times = sorted(arrival.at for arrival in seen.arrivals)
    if seen.truth.throttled:
        yield f"the server's own limit refused {seen.truth.throttled} requests."
    tat = float("-inf")
    for at in times:
        tat = max(tat, at) + 1 / options.rate_per_s
        if tat - at > options.burst / options.rate_per_s + ARRIVAL_JITTER_S:
            yield f"more than {options.burst} requests and {options.rate_per_s:g}/s arrived at {at:.3f}."
            return


def _nothing_private_was_written(seen: _Seen) -> Iterator[str]:
    canaries = [CANARY.encode(), *(token.encode().lower() for token in seen.evidence.tokens)]
    for name, content in _everything_written(seen.evidence):
        for canary in canaries:
            if canary in content.lower():
                yield f"{name} contains {canary.decode()[:12]}…"


def _everything_written(evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    for number, run in enumerate(evidence.runs, 1):
        yield f"stdout of run {number}", run.stdout.encode()
        yield f"stderr of run {number}", run.stderr.encode()
    for path in evidence.folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
            if path.suffix == ".parquet":
                with suppress(pl.exceptions.PolarsError):  # cut short by a kill
                    yield str(path), pl.read_parquet(path, glob=False).write_csv().encode()


def _only_this_api(seen: _Seen) -> Iterator[str]:
    if seen.truth.trapped:
        yield f"{seen.truth.trapped} requests followed a redirect to another host."
    for arrival in seen.arrivals:
        if arrival.route == "other" or (arrival.target and not _is_uuid(arrival.target)):
            yield f"{arrival.method} {arrival.target} is no path of this API."


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


_INVARIANTS = {
    1: _never_twice,
    2: _intent_before_post,
    3: _history_only_grows,
    4: _states_tell_the_truth,
    5: _unknown_leaves_by_evidence,
    6: _every_row_is_accounted_for,
    7: _nothing_left_means_nothing_sent,
    8: _within_the_limit,
    9: _nothing_private_was_written,
    10: _only_this_api,
}
