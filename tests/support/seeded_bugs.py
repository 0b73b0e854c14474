"""Breaks the program on purpose, one promise at a time, and shows that a test notices: `make seeded-bugs`.

Each bug is an exact replacement in a temporary copy of `src/`; the checkout is never touched. First the unmodified
copy has to pass all the named tests, then every broken copy has to fail its own. A text that is not found is an error:
the program has moved on and the bug with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2
LONGEST_S = 300


@dataclass(frozen=True, slots=True)
class Bug:
    """One deliberate breakage: in `file` the text `old` becomes `new`, and `test` must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


_SENDER, _SQLITE, _OUTCOME = "engine/sender.py", "ledger/sqlite/ledger.py", "core/outcome.py"
_QUERIES, _RECONCILE = "ledger/sql/sqlite.sql", "engine/reconcile.py"
_INTENT = "        await context.move(work, Event.INTENT)\n"
_SENDING = """        if context.clock.elapsed() - work.moved_at > context.limits.send_within_s:
            context.limiter.give_back()
            return await self._not_sent(work, Answer(bytes_left=False, message="too late: the process stood still"))
        context.limiter.use()
        started_at = context.clock.monotonic()
        context.tally.posts += 1
        context.tally.in_flight += 1
        try:
            answer = await self._line.cancel(work.target, work.request)
"""
_PACING = "        if not await self._turn(work):\n            return Step.DONE\n"
_KILL, _LATE, _SIGNALS = (
    "tests/processes/crash/test_kill.py",
    "tests/processes/crash/test_late_effects.py",
    "tests/processes/crash/test_signals.py",
)

BUGS = (
    Bug("no intent is recorded", _SENDER, _INTENT, "", f"{_KILL}::test_a_run_that_is_killed_converges"),
    Bug(
        "the intent is recorded after the POST",
        _SENDER,
        _INTENT + _SENDING,
        f"{_SENDING}    {_INTENT}",
        f"{_KILL}::test_a_run_that_is_killed_converges",
    ),
    Bug(
        "the intent is recorded before the pacing",
        _SENDER,
        _PACING + _INTENT,
        _INTENT + _PACING,
        f"{_SIGNALS}::test_a_run_that_waits_for_its_turn_stops_at_once",
    ),
    Bug(
        "an unanswered cancel is sent again",
        _SENDER,
        "Kind.NO_ANSWER: Sender._no_proof",
        "Kind.NO_ANSWER: Sender._not_processed",
        "tests/processes/crash/test_acceptance.py::test_fifty_appointments_and_two_kills",
    ),
    Bug(
        "a 500 counts as not processed",
        _OUTCOME,
        "NOT_PROCESSED = frozenset({408, 421, 425, 429})",
        "NOT_PROCESSED = frozenset({408, 421, 425, 429, 500})",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
    ),
    Bug(
        "a 2xx counts as cancelled whatever it shows",
        _OUTCOME,
        "return Kind.CANCELLED if shows_cancelled(target, answer.appointment) else Kind.NONSENSE",
        "return Kind.CANCELLED",
        "tests/processes/crash/test_acceptance.py::test_fifty_appointments_and_two_kills",
    ),
    Bug(
        "an answer without attendees shows the attendee removed",
        _OUTCOME,
        "return appointment.attendee_ids is None or attendee_id in appointment.attendee_ids",
        "return appointment.attendee_ids is not None and attendee_id in appointment.attendee_ids",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
    ),
    Bug(
        "there is no settle time",
        "engine/unknowns.py",
        "return settle_s - clock.base.age_s(",
        "return 0.0 * clock.base.age_s(",
        "tests/processes/crash/test_clock.py::test_an_unknown_target_is_not_sent_before_its_settle_time",
    ),
    Bug(
        "the settle time counts from the intent, however late the send was",
        "engine/unknowns.py",
        "age_s(item.last_at, ",
        "age_s(item.intent_at, ",
        f"{_LATE}::test_a_process_that_was_stopped_between_intent_and_send_waits_from_the_send_on",
    ),
    Bug(
        "one read confirms that a target is active",
        _RECONCILE,
        "if await self._look(item) is Sight.ACTIVE:",
        "if item:",
        "tests/unit/engine/test_reconcile.py::test_the_second_read_may_find_it_cancelled",
    ),
    Bug(
        "a series is sent without a look although another one was",
        "engine/feed.py",
        "self._chunk = 1 if series else _CHUNK",
        "self._chunk = _CHUNK",
        f"{_LATE}::test_a_second_row_of_a_series_is_read_before_it_is_sent",
    ),
    Bug(
        "a series is sent while another one is open",
        _QUERIES,
        "(t.entire_series = 0 OR NOT EXISTS",
        "(1 OR NOT EXISTS",
        f"{_LATE}::test_a_series_waits_while_another_one_is_open",
    ),
    Bug(
        "the series of one account are sent beside another's rows",
        "engine/series_order.py",
        "return not (self._series or (series and (self._ahead or self._others)))",
        "return True",
        "tests/processes/commands/test_accounts.py::test_series_go_last_one_by_one_over_all_accounts",
    ),
    Bug(
        "only one limit is in a commit of several accounts",
        "engine/commits.py",
        "batch.paces[pace] = None",
        "batch.paces = {pace: None}",
        "tests/unit/engine/test_commits.py::test_those_with_limits_of_their_own_share_a_commit_and_each_limit_is_in_it_once",
    ),
    Bug(
        "recovery is left out",
        "engine/runner.py",
        "ledger.recover(run_no, at, scope)",
        "0",
        f"{_KILL}::test_a_run_that_is_killed_converges",
    ),
    Bug(
        "the law lets a target be sent twice",
        "core/states.py",
        "        (_S.SENDING, _E.CANCELLED): _S.CANCELLED,\n",
        "        (_S.SENDING, _E.CANCELLED): _S.CANCELLED,\n        (_S.SENDING, _E.INTENT): _S.SENDING,\n",
        "tests/unit/core/test_states.py::test_only_an_intent_leads_to_sending_and_only_from_what_was_proven_not_applied",
    ),
    Bug(
        "the SQL does not guard the state",
        _QUERIES,
        "WHERE target_id = ?5 AND state = ?6 AND attempts = ?2 - 1",
        "WHERE target_id = ?5 AND ?6 <> '' AND attempts < ?2",
        "tests/contracts/test_append.py::test_an_entry_that_believes_something_else_writes_nothing",
    ),
    Bug(
        "the ledger syncs less",
        "ledger/sqlite/open.py",
        '"synchronous = FULL"',
        '"synchronous = NORMAL"',
        "tests/unit/ledger/sqlite/test_power_cut.py::test_a_power_cut_loses_nothing_that_was_acknowledged",
    ),
    Bug(
        "a failed commit is tried again",
        "engine/commits.py",
        "self._broken = batch.error = error",
        "batch.error = error",
        "tests/unit/engine/test_commits.py::test_a_failure_reaches_everyone_in_the_batch_and_nothing_is_tried_again",
    ),
    Bug(
        "a ledger that was replaced is not noticed",
        _SQLITE,
        "if _identity(self.path) != self._identity:",
        "if False:",
        "tests/processes/crash/test_ledger_gone.py::test_the_run_halts",
    ),
    Bug(
        "there is no lock",
        "ops/locks.py",
        "lock.acquire(timeout=max(wait_s, _GLANCE_S), poll_interval=0.1)",
        "pass",
        "tests/processes/crash/test_locks.py::test_a_second_run_over_the_ledger_is_refused",
    ),
    Bug(
        "a lost outcome is told to nobody",
        _SENDER,
        "print(line, file=sys.stderr, flush=True)",
        "pass",
        "tests/processes/crash/test_disk.py::test_an_outcome_that_is_not_recorded_is_told_and_looked_up",
    ),
    Bug(
        "the pace is not durable",
        _SQLITE,
        "for pace in paces:",
        "for pace in ():",
        f"{_SIGNALS}::test_a_crash_loop_does_not_take_the_burst_each_time",
    ),
    Bug(
        "a pause after a read is not durable",
        "engine/context.py",
        "        if answer.status == THROTTLED:\n            await self.commits.record()\n",
        "",
        f"{_SIGNALS}::test_a_pause_that_the_server_asked_for_outlives_a_kill",
    ),
    Bug(
        "the burst is used up without a margin",
        "core/pacing.py",
        "return Pace(pace.rate_per_s, max(1, pace.burst - margin))",
        "return Pace(pace.rate_per_s, max(pace.burst, margin))",
        "tests/unit/core/test_pacing.py::test_the_margin_is_one_token_and_what_the_jitter_takes",
    ),
    Bug(
        "a 429 pauses nobody else",
        "engine/limiter.py",
        "self.tat = after_pause(self.tat, moment, self.pace)",
        "after_pause(self.tat, moment, self.pace)",
        "tests/unit/engine/test_limiter.py::test_a_throttle_pauses_everyone_then_goes_slower_then_recovers",
    ),
    Bug(
        "our transport takes a stray answer for the next one",
        "api/wire.py",
        "return bool(poll.poll(0))",
        "return False",
        "tests/sockets/test_wire.py::test_a_stray_answer_that_nobody_has_read_yet_is_seen",
    ),
    Bug(
        "an exchange has no total deadline",
        "api/client.py",
        "async with asyncio.timeout(self._settings.timeout_s):",
        "async with asyncio.timeout(20 * self._settings.timeout_s):",
        "tests/sockets/test_faults.py::test_an_answer_comes_by_the_deadline_and_means_what_it_proves",
    ),
    Bug(
        "what a server sent too much is taken for the next answer",
        "api/transports.py",
        "max_keepalive_connections=0",
        "max_keepalive_connections=1",
        "tests/sockets/test_reuse.py::test_what_a_server_sent_too_much_is_never_taken_for_the_next_answer",
    ),
    Bug(
        "a target that is named twice is two",
        "inputs/targets.py",
        "_ROW.min().over(_TARGET).alias(BC_FIRST_ROW)",
        "_ROW.alias(BC_FIRST_ROW)",
        "tests/unit/inputs/test_targets.py::test_rows_of_one_target_point_to_the_first",
    ),
    Bug(
        "invalid rows are lost on the way",
        "ledger/sqlite/staging.py",
        "row.first_row, row.problems) for row in rows]",
        "row.first_row, row.problems) for row in rows if not row.problems]",
        "tests/contracts/test_staging.py::test_an_invalid_row_is_kept_with_its_problems_and_makes_no_target",
    ),
    Bug(
        "who stood still after an intent sends under it",
        _SENDER,
        "if context.clock.elapsed() - work.moved_at > context.limits.send_within_s:",
        "if False:",
        "tests/unit/engine/test_trouble.py::test_a_process_that_stood_still_after_an_intent_does_not_send_under_it",
    ),
    Bug(
        "the transport writes however late its connection stands",
        "api/failures.py",
        "if _elapsed() > self._send_by:",
        "if False:",
        "tests/sockets/test_bytes_left.py::test_a_connection_that_stands_too_late_is_not_written_to",
    ),
    Bug(
        "requests count from their leaving, however late they arrive",
        "engine/limiter.py",
        "min(self._tat_by_answers(now, pace), self.tat + _late_s(pace))",
        "self.tat",
        "tests/unit/engine/test_limiter.py::test_connects_that_delay_the_first_arrivals_earn_no_429",
    ),
    Bug(
        "a chunk has no fence",
        "ledger/postgres/writing.py",
        "        if hold is None:\n            return\n",
        "        if hold is None or hold:\n            return\n",
        "tests/unit/ledger/postgres/test_sharing.py::test_who_has_lost_its_chunk_writes_nothing",
    ),
    Bug(
        "slots of a shared limit are used without being reserved",
        "engine/shared_limiter.py",
        "if not self._left or self._owed_pause_s or",
        "if self._owed_pause_s or",
        "tests/unit/engine/test_shared_limiter.py::test_the_servers_bucket_is_never_exceeded",
    ),
    Bug(
        "the whole burst of a shared limit is used",
        "engine/shared_limiter.py",
        "max(1, pace.burst - unspent)",
        "max(1, pace.burst - 0 * unspent)",
        "tests/unit/engine/test_shared_limiter.py::test_a_window_that_was_kept_for_long_fits_into_what_stays_unspent",
    ),
    Bug(
        "a throttle pauses its own process only",
        "engine/shared_limiter.py",
        "self._owed_pause_s = max(self._owed_pause_s, pause_s)",
        "pass",
        "tests/unit/engine/test_shared_limiter.py::test_a_throttle_of_one_pauses_all",
    ),
    Bug(
        "a chunk of series has all else, too",
        "ledger/sqlite/ledger.py",
        "if scope.chunk and scope.chunk.series != series:",
        "if False:",
        "tests/contracts/test_scopes.py::test_a_chunk_has_series_or_all_else",
    ),
    Bug(
        "tracebacks show local variables",
        "ops/logs.py",
        "structlog.processors.ExceptionRenderer(),",
        "structlog.processors.dict_tracebacks,",
        "tests/processes/crash/test_bugs.py::test_the_others_drain_and_a_rerun_finishes",
    ),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said of one copy."""

    passed: bool
    failed: bool  #: tests failed, rather than could not be run
    output: str
    seconds: float


def main(words: Sequence[str]) -> int:
    """Show that every bug is caught; with words, only the bugs whose names contain one of them."""
    bugs = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="seeded-bugs-") as folder:
        sound = _judge(_copy(Path(folder) / "sound"), sorted({bug.test for bug in bugs}))
        if not sound.passed:
            print(f"{sound.output}\nThe unmodified copy fails: nothing can be shown.")
            return 1
        print(f"The unmodified copy passes the {len({bug.test for bug in bugs})} tests ({sound.seconds:.0f} s).")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            numbered = enumerate(bugs, 1)
            caught = list(pool.map(lambda each: _is_caught(Path(folder) / f"bug-{each[0]}", each[1]), numbered))
    print(f"{sum(caught)} of {len(bugs)} seeded bugs caught.")
    return 0 if all(caught) else 1


def _is_caught(folder: Path, bug: Bug) -> bool:
    verdict = _judge(_break(_copy(folder), bug), [bug.test])
    mark = "caught" if verdict.failed else "MISSED"
    print(f"{mark}  {bug.name:<66} {bug.test.removeprefix('tests/')}  ({verdict.seconds:.0f} s)", flush=True)
    if not verdict.failed:
        print(verdict.output)
    shutil.rmtree(folder)
    return verdict.failed


def _copy(folder: Path) -> Path:
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _break(folder: Path, bug: Bug) -> Path:
    path = folder / "src" / "bulk_cancel" / bug.file
    text = path.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        raise SystemExit(f"{bug.name}: the text to replace is {text.count(bug.old)} times in {bug.file}, not once.")
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    return folder


def _judge(folder: Path, tests: Sequence[str]) -> Verdict:
    """Run tests against a copy. An editable install adds the checkout's src to the path, but after PYTHONPATH."""
    environ = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    _refuse_wrong_copy(folder, environ)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}", *tests]
    began = time.monotonic()
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S)
    failed = done.returncode == 1 and re.search(r"^\d+ failed", done.stdout, re.MULTILINE) is not None
    return Verdict(done.returncode == 0, failed, done.stdout + done.stderr, time.monotonic() - began)


def _refuse_wrong_copy(folder: Path, environ: dict[str, str]) -> None:
    command = [sys.executable, "-c", "import bulk_cancel; print(bulk_cancel.__file__)"]
    found = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    if not found.startswith(str(folder)):
        raise SystemExit(f"The tests would run against {found.strip()}.")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
