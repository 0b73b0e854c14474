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
_GUARD, _MARKS = "ledger/sqlite/file_guard.py", "tests/unit/ledger/sqlite/test_high_water.py"
_QUERIES, _RECONCILE = "ledger/sql/sqlite.sql", "engine/reconcile.py"
_INTENT = "        await context.move(work, Event.INTENT)\n"
_SENDING = """        if context.clock.elapsed() - work.moved_at > context.limits.send_within_s:
            context.limiter.give_back()
            return await self._not_sent(work, Answer(bytes_left=False, message="too late: the process stood still"))
        context.limiter.use()
        started_at = context.clock.monotonic()
        context.counters.posts += 1
        context.counters.in_flight += 1
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
        "a 500 is no lost answer",
        _OUTCOME,
        "status >= 500 or status in UNCLEAR",
        "status > 500 or status in UNCLEAR",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
    ),
    Bug(
        "a 409 counts as a refusal",
        _OUTCOME,
        "UNCLEAR = frozenset({408, 409, 421, 425})",
        "UNCLEAR = frozenset({408, 421, 425})",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
    ),
    Bug(
        "a 408 counts as not processed",
        _OUTCOME,
        "    status = answer.status\n",
        "    status = 429 if answer.status == 408 else answer.status\n",
        "tests/processes/commands/test_answers.py::test_a_cancel_behind_an_unclear_status_is_never_sent_twice",
    ),
    Bug(
        "a page of a gateway counts as a refusal",
        _OUTCOME,
        "return _kind_of_error(answer) if answer.is_api_error else Kind.NONSENSE",
        "return _kind_of_error(answer)",
        "tests/processes/commands/test_answers.py::test_a_gateway_of_a_moment_makes_no_row_final",
    ),
    Bug(
        "any JSON counts as an error of the API",
        "api/documents.py",
        'type(value.get("statusCode")) is not int or value["statusCode"] != status',
        'not value.get("statusCode")',
        "tests/unit/api/test_documents.py::test_an_error_is_the_apis_in_its_own_shape_alone",
    ),
    Bug(
        "a missing route counts as a missing appointment",
        "core/readings.py",
        "    return answer.is_api_error and answer.status in MISSING and _NO_ROUTE.match(answer.message) is not None",
        "    return False",
        "tests/unit/core/test_outcome.py::test_a_missing_route_is_no_missing_appointment",
    ),
    Bug(
        "the document of another appointment is used",
        "core/model.py",
        "if self.appointment is None or self.appointment.appointment_id == appointment_id:",
        "if self:",
        "tests/unit/core/test_outcome.py::test_nothing_of_another_appointments_document_is_kept",
    ),
    Bug(
        "a document that does not say counts as active",
        "core/readings.py",
        "    if appointment.is_cancelled is None:\n        return ReadResult.NOTHING\n    if not",
        "    if not",
        "tests/unit/core/test_outcome.py::test_what_a_read_shows",
    ),
    Bug(
        "a deleted appointment counts as active",
        "api/documents.py",
        ' or value.get("deletedAt"):',
        ":",
        "tests/unit/api/test_documents.py::test_cancelled_means_the_flag_or_the_time_of_the_action_or_of_the_deletion",
    ),
    Bug(
        "an attendee nobody saw in it counts as cancelled",
        "core/readings.py",
        "return ReadResult.CANCELLED if attended else ReadResult.ABSENT",
        "return ReadResult.CANCELLED",
        "tests/unit/core/test_outcome.py::test_what_a_read_shows",
    ),
    Bug(
        "it is not on record that an attendee was seen in it",
        _SENDER,
        "            await self._note_attendee(work, reading)\n",
        "            pass\n",
        "tests/unit/engine/test_trouble.py::test_that_an_attendee_is_in_it_is_on_record_before_the_cancel_leaves",
    ),
    Bug(
        "an attendee is sent without having been seen in it",
        "core/actions.py",
        "if target.attendee_id is not None and not expected.attended:",
        "if False:",
        "tests/unit/core/test_actions.py::test_what_a_reading_its_age_and_what_was_expected_come_to",
    ),
    Bug(
        "a series is called done by one occurrence",
        "core/readings.py",
        "return ReadResult.ONE_OCCURRENCE if target.entire_series else ReadResult.CANCELLED",
        "return ReadResult.CANCELLED",
        "tests/unit/core/test_outcome.py::test_what_a_read_shows",
    ),
    Bug(
        "a decision rests on a reading of any age",
        "core/actions.py",
        "if not reading.is_fresh(rules.elapsed):",
        "if False:",
        "tests/unit/core/test_actions.py::test_a_cancel_that_was_read_first_rests_on_a_fresh_reading_that_shows_the_target_active",
    ),
    Bug(
        "a start that may have moved decides",
        "core/actions.py",
        'return Decision(Action.READ_FIRST, f"when last seen',
        'return Decision(Action.SKIP, f"when last seen',
        "tests/unit/engine/test_trouble.py::test_what_is_known_as_past_from_before_is_read_and_sent_when_it_has_moved",
    ),
    Bug(
        "what was refused once is sent without a look",
        _QUERIES,
        "'seen_missing', 'resolved_not_cancelled')) AS look_first",
        "'seen_missing', 'resolved_not_cancelled') AND 0) AS look_first",
        "tests/contracts/test_unknown.py::test_what_was_refused_once_is_read_before_it_is_sent",
    ),
    Bug(
        "a refusal is asked again within the settle time",
        "commands/run_setup.py",
        "return clock.now() - job.settle if",
        "return clock.now() if",
        "tests/processes/commands/test_answers.py::test_what_a_passing_cause_refused_is_taken_up_again_after_the_settle_time_and_read_first",
    ),
    Bug(
        "a person may say too early that nothing took effect",
        "commands/resolve.py",
        "    if left_s > 0:",
        "    if left_s > 1e9:",
        "tests/processes/commands/test_answers.py::test_nobody_can_say_within_the_settle_time_that_a_cancel_did_not_take_effect",
    ),
    Bug(
        "a short settle time is taken for any API",
        "settings/environment.py",
        "if settle_s < SHORTEST_SETTLE_S and",
        "if settle_s < 0 and",
        "tests/processes/commands/test_answers.py::test_a_settle_time_below_a_minute_is_for_a_sandbox_only",
    ),
    Bug(
        "an undecided series holds up all others",
        _QUERIES,
        "e.event = 'undecided' AND e.attempt_no = o.attempts",
        "e.event = 'undecided' AND e.attempt_no < 0",
        "tests/contracts/test_unknown.py::test_a_series_waits_for_an_open_one_until_a_person_has_to_settle_that",
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
        "core/readings.py",
        "    if appointment.is_cancelled is None or listed is None:\n        return ReadResult.NOTHING\n",
        "    listed = listed or frozenset()\n",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
    ),
    Bug(
        "there is no settle time",
        "engine/unknowns.py",
        "return settle_s - clock",
        "return 0.0 * clock",
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
        "if await self._look(item) is ReadResult.ACTIVE:",
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
        _GUARD,
        "if main == self._main and (",
        "if True or (",
        "tests/processes/crash/test_ledger_gone.py::test_the_run_halts",
    ),
    Bug(
        "a ledger that is written over in place is not noticed",
        _GUARD,
        "status.st_mtime_ns if os.name ==",
        "0 if os.name ==",
        f"{_MARKS}::test_a_file_that_somebody_writes_to_is_noticed_at_the_next_commit",
    ),
    Bug(
        "closing copies the WAL into a file that took the ledger's place",
        _GUARD,
        "self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)",
        "pass",
        f"{_MARKS}::test_a_file_that_somebody_writes_to_is_noticed_at_the_next_commit",
    ),
    Bug(
        "no mark is moved on",
        _GUARD,
        "if newest != self._newest:",
        "if False:",
        f"{_MARKS}::test_the_main_file_alone_is_refused_with_what_is_missing_and_what_to_do",
    ),
    Bug(
        "a mark is moved on by a commit that fails",
        _GUARD,
        "            raise\n\n    def settle",
        "            self._keeper.move(Seen(9, 64 * '0'))\n            raise\n\n    def settle",
        f"{_MARKS}::test_a_commit_that_fails_moves_no_mark",
    ),
    Bug(
        "a ledger below its mark is taken",
        "ledger/high_water.py",
        "if newest < seen:",
        "if False:",
        f"{_MARKS}::test_an_older_copy_is_refused_whole_as_it_is",
    ),
    Bug(
        "a ledger with another history is taken",
        "ledger/high_water.py",
        "if digest != mark.seen.digest:",
        "if False:",
        f"{_MARKS}::test_a_history_that_went_on_from_an_older_copy_is_refused",
    ),
    Bug(
        "a lost ledger is begun anew without a word",
        "ledger/sqlite/open.py",
        "marks.refuse_missing(place_of(path))",
        "pass",
        f"{_MARKS}::test_a_ledger_that_is_gone_is_not_begun_anew_until_it_is_forgotten",
    ),
    Bug(
        "a WAL is played into any main file",
        "ledger/sqlite/recognise.py",
        "if wrong := integrity.verify(connection, sql):",
        "if wrong := list[str]():",
        f"{_MARKS}::test_a_wal_beside_an_older_main_file_is_no_history",
    ),
    Bug(
        "the API that answers binds no ledger",
        "engine/runner.py",
        'await self._bind("api_url"',
        'self._context.api or await self._bind("api_url"',
        "tests/processes/commands/test_exit_codes.py::test_78_a_ledger_of_another_api",
    ),
    Bug(
        "an address binds the ledger before it answers",
        "access/ledgers.py",
        'bound = ledger.meta("api_url")',
        'bound = ledger.bind("api_url", canonical_api(url))',
        "tests/processes/commands/test_exit_codes.py::test_an_address_that_never_answered_binds_no_ledger",
    ),
    Bug(
        "each spelling of an address has a ledger of its own",
        "settings/environment.py",
        'return _LOOPBACK if host in ("localhost", "[::1]") else host',
        "return host",
        "tests/unit/settings/test_api_address.py::test_every_spelling_of_an_address_has_one_name_and_one_ledger",
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
        sound = _judge(copy_of_source(Path(folder) / "sound"), sorted({bug.test for bug in bugs}))
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
    verdict = _judge(break_copy(copy_of_source(folder), bug), [bug.test])
    mark = "caught" if verdict.failed else "MISSED"
    print(f"{mark}  {bug.name:<66} {bug.test.removeprefix('tests/')}  ({verdict.seconds:.0f} s)", flush=True)
    if not verdict.failed:
        print(verdict.output)
    shutil.rmtree(folder)
    return verdict.failed


def copy_of_source(folder: Path) -> Path:
    """Copy the program, to be broken there."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def break_copy(folder: Path, bug: Bug) -> Path:
    """Put a bug into a copy."""
    path = folder / "src" / "bulk_cancel" / bug.file
    if not path.is_file():
        raise SystemExit(f"{bug.name}: there is no src/bulk_cancel/{bug.file}; say where the text is now.")
    text = path.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        raise SystemExit(f"{bug.name}: the text to replace is {text.count(bug.old)} times in {bug.file}, not once.")
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    return folder


def _judge(folder: Path, tests: Sequence[str]) -> Verdict:
    """Run tests against a copy. An editable install adds the checkout's src to the path, but after PYTHONPATH."""
    environ = {**os.environ, "PYTHONPATH": str(folder / "src")}
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
