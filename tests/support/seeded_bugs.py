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
_POSTGRES_MARKS = "tests/unit/ledger/postgres/test_high_water.py"
_QUERIES, _RECONCILE = "ledger/sql/common.sql", "engine/reconcile.py"
_SQLITE_QUERIES = "ledger/sql/sqlite.sql"
_INTENT = '        await context.move(work, Event.INTENT, detail=work.request.reason or "")\n'
_LOOKING = """        step = await self._prepare(work)
        if step is not None:
            return step
"""
_SENDING = """        if held_back := self._why_not_now(work):
            context.limiter.give_back()
            return await self._held_back(work, *held_back)
"""
_KILL, _SIGNALS = "tests/processes/crash/test_kill.py", "tests/processes/crash/test_signals.py"

_CANARY, _ENDS = "tests/unit/engine/test_canary.py", "tests/unit/commands/test_ends.py"
_KEPT, _RUN_IDS = "tests/unit/commands/test_kept_inputs.py", "tests/unit/commands/test_run_ids.py"
_TROUBLE = "tests/unit/engine/test_trouble.py"
_WORLD = "tests/world/test_world.py::test_hostile_histories_break_no_invariant"

BUGS = (
    Bug(
        "a ledger without its triggers is written to",
        "ledger/altered.py",
        """not in found:
            yield""",
        """not in found:
            if kind == "table":
                yield""",
        "tests/unit/ledger/sqlite/test_refusals.py::test_a_ledger_that_was_altered_is_refused_and_left_as_it_is",
    ),
    Bug(
        "a correction file loses what a mapped column asked",
        "reports/corrections.py",
        "pl.when(was_asked).then(pl.col(asked(field))).otherwise(",
        "pl.when(was_asked).then(pl.col(field) if field in rows.columns else None).otherwise(",
        "tests/unit/commands/test_correction_files.py::test_an_unchanged_row_is_the_same_question_whatever_is_typed",
    ),
    Bug(
        "an option changes what a row of a correction file asks",
        "inputs/validation.py",
        "    open_to_options = ~pl.col(Added.ASKED)\n",
        "    open_to_options = pl.lit(value=True)\n",
        "tests/unit/commands/test_correction_files.py::test_an_option_adds_nothing_to_a_row_that_was_asked",
    ),
    Bug(
        "a list that omits the attendees stands for an approval",
        "core/actions.py",
        "reading.source is Source.PAGE and _says_too_little(",
        "reading.source is Source.SINGLE and _says_too_little(",
        "tests/unit/core/test_actions.py::test_a_list_that_omits_the_attendees_of_an_approval_does_not_stand_for_it",
    ),
    Bug(
        "a refusal that a plan leaves alone is taken up again",
        _QUERIES,
        "AND NOT s.stands AND ($3::boolean",
        "AND ($3::boolean",
        "tests/contracts/test_staging.py::test_a_refusal_stands_where_an_approved_plan_sends_nothing",
    ),
    Bug(
        "what a plan knows as settled is tried until it has failed",
        _SENDER,
        "    Action.NOTHING: Event.SKIPPED,  #: an approved plan knows it as settled, this ledger does not\n",
        "",
        f"{_TROUBLE}::test_a_row_that_an_approved_plan_knows_as_settled_is_not_sent",
    ),
    Bug(
        "a plan's line may say a thing twice",
        "plan_files/reading.py",
        "_parsed(plan, read_strictly)",
        "plan.lines()",
        "tests/unit/plan_files/test_refusals.py::test_a_line_in_another_spelling_is_refused",
    ),
    Bug(
        "a credential is known by its looks alone",
        "core/credential.py",
        "        keep_out(self.secret)\n",
        "        pass\n",
        "tests/unit/api/test_echo.py::test_a_refusal_that_quotes_the_credential",
    ),
    Bug(
        "a plan is approved by the beginning of its digest",
        "plan_files/reading.py",
        "if plan.digest != approved:",
        "if plan.digest[:32] != approved[:32]:",
        "tests/unit/plan_files/test_refusals.py::test_a_digest_with_the_same_beginning_is_another_one",
    ),
    Bug("no intent is recorded", _SENDER, _INTENT, "", f"{_TROUBLE}::test_the_order_inside_a_worker"),
    Bug(
        "the intent is recorded after the POST",
        _SENDER,
        _INTENT + _SENDING + "        return await self._send(work)\n",
        _SENDING + "        step = await self._send(work)\n" + _INTENT + "        return step\n",
        f"{_TROUBLE}::test_the_order_inside_a_worker",
    ),
    Bug(
        "the intent is recorded before the pacing",
        _SENDER,
        _LOOKING + _INTENT,
        _INTENT + _LOOKING,
        f"{_SIGNALS}::test_a_run_that_waits_for_the_limit_stops_at_once",
    ),
    Bug(
        "an unanswered cancel is sent again",
        _SENDER,
        "Kind.NO_ANSWER: Sender._no_proof",
        "Kind.NO_ANSWER: Sender._not_processed",
        f"{_TROUBLE}::test_a_cancel_that_may_have_been_applied_is_never_sent_again",
    ),
    Bug(
        "who began a run is in no chain of digests",
        _SQLITE,
        "            integrity.seal_beginning(self._connection, run_no)\n",
        "",
        "tests/unit/ledger/sqlite/test_verify.py::test_the_end_of_a_run_leaves_its_beginning_whole",
    ),
    Bug(
        "the command to type next has its secrets",
        "settings/recorded_command.py",
        "        text = text.replace(secret, HIDDEN)\n",
        "        pass\n",
        "tests/unit/settings/test_recorded_command.py::test_no_secret_is_recorded",
    ),
    Bug(
        "a later input's reason is taken for the one that was mailed",
        _SENDER,
        'Event.INTENT, detail=work.request.reason or "")',
        "Event.INTENT)",
        "tests/unit/commands/test_who_and_why.py::test_everything_that_is_written_tells_who_and_why",
    ),
    Bug(
        "a run without rows looks nothing up",
        "commands/no_rows.py",
        "    if not _has_open(left):\n        return",
        "    if True:\n        return",
        "tests/unit/commands/test_no_rows.py::test_a_file_per_day_looks_up_what_last_night_left_unknown",
    ),
    Bug(
        "a run without rows says that nothing is to do over a lost ledger",
        "commands/no_rows.py",
        "    place.refuse_lost()\n",
        "",
        "tests/unit/commands/test_no_rows.py::test_nothing_to_do_is_not_said_over_a_ledger_that_is_lost",
    ),
    Bug(
        "a run ends well while an outcome of an earlier input is unknown",
        "core/exit_codes.py",
        "    if elsewhere is not None and elsewhere.for_reads:",
        "    if False:",
        "tests/unit/commands/test_no_rows.py"
        "::test_a_search_that_finds_others_does_not_end_well_while_its_earlier_row_is_unknown",
    ),
    Bug(
        "a rebooking list that is removed is not made again",
        "reports/rebooking.py",
        "            if self._is_in_place():",
        "            if True:",
        "tests/unit/commands/test_rebooking_list.py::test_a_removed_rebooking_list_is_made_again_with_every_row",
    ),
    Bug(
        "a rerun forgets with which options it was typed",
        "reports/next_step.py",
        "if goes_on and ending.again else []",
        "if False else []",
        "tests/unit/commands/test_who_and_why.py::test_what_is_left_goes_on_with_the_very_command_and_its_reason",
    ),
    Bug(
        "what to type for a corrected file is relative to the run's folder",
        "reports/next_step.py",
        "out = Path(ending.out).absolute()",
        "out = Path(_seen_from_here(Path(ending.out)))",
        "tests/unit/commands/test_who_and_why.py::test_what_to_type_names_the_file_for_a_reader_in_any_folder",
    ),
    Bug(
        "a halt that stopped nothing is told",
        "execution/finish.py",
        "is_told = halt and (stands(halt, matter) or matter.for_reads or halt.message == NOT_ENDED)",
        "is_told = True",
        "tests/unit/execution/test_finish.py::test_too_many_refusals_are_told_only_where_they_left_rows",
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
        "        return Kind.NO_ANSWER\n    if status < 300:",
        "        return Kind.NOT_PROCESSED if status == 408 else Kind.NO_ANSWER\n    if status < 300:",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
    ),
    Bug(
        "what a server says before it was asked is the answer",
        "api/wire.py",
        "if kept is None and not await connection.is_silent():",
        "if False:",
        "tests/sockets/test_unasked.py::test_an_answer_before_the_request_is_not_its_answer_and_nothing_leaves",
    ),
    Bug(
        "what a proxy says before it was asked is the answer",
        "api/failures.py",
        "            if self._hears_something():\n",
        "            if False:\n",
        "tests/sockets/test_unasked.py::test_an_answer_before_the_request_is_not_its_answer_and_nothing_leaves",
    ),
    Bug(
        "a page of a gateway counts as a refusal",
        _OUTCOME,
        "return _kind_of_error(answer) if answer.is_api_error else Kind.NONSENSE",
        "return _kind_of_error(answer)",
        f"{_TROUBLE}::test_three_pages_of_a_gateway_halt_and_refuse_nothing",
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
        '(cancel.get("actionAt"), value.get("deletedAt"))',
        '(cancel.get("actionAt"),)',
        "tests/unit/api/test_documents.py::test_cancelled_means_the_flag_or_the_time_of_the_action_or_of_the_deletion",
    ),
    Bug(
        "the year 1 is a time at which something was cancelled",
        "api/documents.py",
        "_EARLIEST <= at <= now",
        "at <= now",
        "tests/unit/api/test_documents.py::test_cancelled_means_the_flag_or_the_time_of_the_action_or_of_the_deletion",
    ),
    Bug(
        "what will have been cancelled is cancelled",
        "api/documents.py",
        "_EARLIEST <= at <= now + _AHEAD_S",
        "_EARLIEST <= at",
        "tests/unit/api/test_documents.py::test_cancelled_means_the_flag_or_the_time_of_the_action_or_of_the_deletion",
    ),
    Bug(
        "an empty list of people proves that an attendee is gone",
        "api/documents.py",
        "    if attending is None or contradicts",
        "    if attending is None and people == listed:\n        attending = named or frozenset()\n"
        "    if attending is None or contradicts",
        "tests/unit/api/test_documents.py::test_absence_is_read_from_a_whole_list_of_ids_that_nothing_contradicts",
    ),
    Bug(
        "an attendee whose id is spelled as no id is gone",
        "api/documents.py",
        "return ids if ids is not None and all(map(_UUID.fullmatch, ids)) else None",
        "return ids",
        "tests/unit/api/test_documents.py::test_absence_is_read_from_a_whole_list_of_ids_that_nothing_contradicts",
    ),
    Bug(
        "an attendee whose id has no hyphens is gone",
        "api/documents.py",
        'return "-".join(found.groups()) if found else text',
        "return text",
        "tests/unit/api/test_documents.py::test_absence_is_read_from_a_whole_list_of_ids_that_nothing_contradicts",
    ),
    Bug(
        "an attendee is gone although another list names that attendee",
        "api/documents.py",
        "or contradicts or any(",
        "or any(",
        "tests/unit/api/test_documents.py::test_absence_is_read_from_a_whole_list_of_ids_that_nothing_contradicts",
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
        "        await self._note_attendee(work)\n",
        "        pass\n",
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
        "if not reading.is_fresh(rules.at):",
        "if False:",
        "tests/unit/core/test_actions.py::test_a_cancel_that_was_read_first_rests_on_a_fresh_reading_that_shows_the_target_active",
    ),
    Bug(
        "a start that may have moved decides",
        "core/actions.py",
        'return Decision(Action.READ_FIRST, f"when last seen',
        'return Decision(Action.SKIP, f"when last seen',
        "tests/unit/engine/test_trouble.py::test_an_appointment_last_known_as_past_is_read_and_sent_if_it_has_moved",
    ),
    Bug(
        "what was refused once is sent without a look",
        _QUERIES,
        "'seen_missing', 'resolved_not_cancelled')) AS must_be_read",
        "'seen_missing', 'resolved_not_cancelled') AND false) AS must_be_read",
        "tests/contracts/test_unknown.py::test_a_target_that_was_refused_once_is_read_before_it_is_sent",
    ),
    Bug(
        "a person may say too early that nothing took effect",
        "commands/resolve.py",
        "    if left_s > 0:",
        "    if left_s > 1e9:",
        "tests/unit/commands/test_resolve.py::test_a_decision_that_is_refused_begins_no_run",
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
        _SQLITE_QUERIES,
        "AND o.state IN ('sending', 'unknown') AND\n{not_undecided}\n",
        "AND o.state IN ('sending', 'unknown')\n",
        "tests/contracts/test_unknown.py::test_a_series_waits_for_an_open_one_until_a_person_has_to_settle_that",
    ),
    Bug(
        "a 2xx counts as cancelled whatever it shows",
        _OUTCOME,
        "    if shows_cancelled(target, answer.appointment):\n        return Kind.CANCELLED\n    return",
        "    return Kind.CANCELLED\n    return",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
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
        "return max(settle_s, item.settle_s) - _age_s(item, clock)",
        "return -_age_s(item, clock)",
        "tests/unit/engine/test_reconcile.py::test_active_before_the_settle_time_proves_nothing",
    ),
    Bug(
        "the settle time counts from the intent, however late the send was",
        "engine/unknowns.py",
        "age_s(item.last_at, ",
        "age_s(item.intent_at, ",
        "tests/unit/engine/test_reconcile.py::test_active_before_the_settle_time_proves_nothing",
    ),
    Bug(
        "one read confirms that a target is active",
        _RECONCILE,
        "        if second is None:\n            return\n        missing_s =",
        "        second = second or first\n        missing_s = 0 *",
        "tests/unit/engine/test_reconcile.py::test_the_second_read_may_find_it_cancelled",
    ),
    Bug(
        "a series is sent without a look although another one was",
        "engine/feed.py",
        "self._chunk = 1 if series else _CHUNK",
        "self._chunk = _CHUNK",
        "tests/unit/commands/test_series.py::test_a_second_row_of_a_series_is_read_before_it_is_sent",
    ),
    Bug(
        "a series is sent while another one is open",
        _SQLITE_QUERIES,
        "WHERE 1 IN (o.entire_series, t.entire_series) AND",
        "WHERE o.entire_series <> t.entire_series AND",
        "tests/contracts/test_work.py::test_a_series_waits_while_any_other_target_is_open",
    ),
    Bug(
        "a series is sent while a row is open",
        _SQLITE_QUERIES,
        "WHERE 1 IN (o.entire_series, t.entire_series) AND",
        "WHERE o.entire_series = 1 AND",
        "tests/contracts/test_work.py::test_a_series_waits_while_any_other_target_is_open",
    ),
    Bug(
        "a row is sent while a series is open",
        _SQLITE_QUERIES,
        "WHERE 1 IN (o.entire_series, t.entire_series) AND",
        "WHERE t.entire_series = 1 AND",
        "tests/contracts/test_work.py"
        "::test_nothing_is_sent_while_a_series_is_open_and_then_it_is_told_until_when_it_may_take_effect",
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
        "tests/unit/engine/test_commits.py::test_accounts_share_a_commit_that_has_each_limit_once",
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
        _SQLITE_QUERIES,
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
        "tests/unit/engine/test_commits.py::test_a_failed_commit_fails_its_whole_batch_and_is_not_tried_again",
    ),
    Bug(
        "a ledger that was replaced is not noticed",
        _GUARD,
        "if main == self._main and (",
        "if True or (",
        "tests/processes/crash/test_ledger_gone.py::test_a_run_whose_ledger_is_taken_away_halts",
    ),
    Bug(
        "a ledger that is written over in place is not noticed",
        _GUARD,
        "status.st_size, status.st_mtime_ns",
        "status.st_size, 0",
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
        "a full disk at a checkpoint is called a bug",
        _SQLITE,
        """            with translated(self.path):
                self._guard.settle()
""",
        """            self._guard.settle()
""",
        "tests/unit/ledger/sqlite/test_disk_errors.py::test_no_refused_write_loses_or_halves_a_commit",
    ),
    Bug(
        "a full disk at a checkpoint is told as a ledger that was replaced",
        _GUARD,
        """        finally:
            main = print_of(self._names[0])
            if main[:2] == self._main[:2]:
                self._main = main
""",
        """        except ArithmeticError:
            raise
        self._main = print_of(self._names[0])
""",
        "tests/unit/ledger/sqlite/test_disk_errors.py"
        "::test_each_checkpoint_that_a_full_disk_cuts_short_is_told_as_a_full_disk",
    ),
    Bug(
        "a ledger that is replaced during a checkpoint is taken for the old one",
        _GUARD,
        "if main[:2] == self._main[:2]:",
        "if True:",
        f"{_MARKS}::test_a_main_file_replaced_during_a_checkpoint_is_noticed_at_the_next_commit",
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
        "            self._keeper.move(9, 64 * '0')\n            raise\n\n    def settle",
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
        "an empty ledger in the place of one with a history is taken",
        "ledger/sqlite/recognise.py",
        "        marks.refuse_missing(place, ledger_id)\n",
        "",
        f"{_MARKS}::test_a_ledger_made_after_an_empty_one_was_lost_is_the_one_that_goes_on",
    ),
    Bug(
        "another schema in the place of one with a history is taken",
        "ledger/questions.py",
        "self._marks.refuse_missing(self._marked_as, id_of(self._rows))",
        "pass",
        "tests/contracts/test_marks.py::"
        "test_another_ledger_in_the_place_of_one_with_a_history_is_refused_until_that_one_is_forgotten",
    ),
    Bug(
        "two copies of a ledger run at once",
        "ledger/sqlite/recognise.py",
        "        holds.enter_context(marks.locked(ledger_id, place))\n",
        "",
        f"{_MARKS}::test_two_whole_copies_do_not_run_at_once_and_the_second_stays_refused",
    ),
    Bug(
        "a lost ledger is forgotten while a cancel may take effect",
        "commands/resolve.py",
        "if left_s := mark.seen.unanswered.left_s(machine.clock.now()):",
        "if left_s := 0:",
        f"{_MARKS}::test_a_lost_ledger_is_not_forgotten_while_a_cancel_may_take_effect",
    ),
    Bug(
        "a mark forgets the settle time of the run that sent",
        "ledger/high_water.py",
        "return self.at + send_within(self.settle_s) + self.settle_s if self.at else 0.0",
        "return self.at + send_within(600.0) + 600.0 if self.at else 0.0",
        f"{_MARKS}::test_a_mark_tells_until_when_an_unanswered_cancel_may_take_effect",
    ),
    Bug(
        "a mark does not know of cancels without an answer",
        _SQLITE,
        "if self._guard and at is not None:",
        "if False:",
        f"{_MARKS}::test_a_lost_ledger_is_not_forgotten_while_a_cancel_may_take_effect",
    ),
    Bug(
        "a restored database is taken whatever it lacks",
        "ledger/postgres/ledger.py",
        "            self.refuse_older()\n",
        "",
        f"{_POSTGRES_MARKS}::test_a_restored_dump_that_is_older_is_refused_with_what_is_missing",
    ),
    Bug(
        "a database leaves no mark",
        "ledger/postgres/ledger.py",
        "        if self._keeper and last:\n",
        "        if False:\n",
        f"{_POSTGRES_MARKS}::test_a_restored_dump_that_is_older_is_refused_with_what_is_missing",
    ),
    Bug(
        "a database's mark keeps a cancel that was answered",
        "ledger/postgres/ledger.py",
        "if not _leaves_open(entries):",
        "if False:",
        "tests/contracts/test_marks.py::test_once_all_cancels_have_an_answer_nothing_is_waited_for",
    ),
    Bug(
        "a mark loses what another process sent without an answer",
        "ledger/high_water.py",
        "seen = replace(newest, unanswered=noted.later(self._unanswered))",
        "seen = newest",
        f"{_POSTGRES_MARKS}::test_what_another_process_sends_while_a_mark_is_cleared_stays_in_it",
    ),
    Bug(
        "a refusal names an earlier minute than the one until which a ledger is not forgotten",
        "ledger/high_water.py",
        "{show_due(due_at)}",
        "{show_due(due_at - 60)}",
        "tests/contracts/test_marks.py::test_forget_waits_until_the_minute_that_the_refusal_names",
    ),
    Bug(
        "a schema that is gone is made anew before it is refused",
        "ledger/postgres/ledger.py",
        "marks.refuse_missing(session.place)",
        "pass",
        f"{_POSTGRES_MARKS}::test_a_schema_that_is_gone_is_not_begun_anew_until_it_is_forgotten",
    ),
    Bug(
        "a WAL is played into any main file",
        "ledger/sqlite/recognise.py",
        "if wrong := integrity.verify(connection):",
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
        "what is no part is left out of a folder in silence",
        "inputs/parquet.py",
        "        if not others:\n",
        "        if True:\n",
        "tests/unit/inputs/test_formats.py::test_what_a_folder_holds_beside_its_parts_is_refused_and_named",
    ),
    Bug(
        "a pause of a non-blocking pipe ends the input",
        "inputs/unpack.py",
        'while (block := cast("bytes | None", file.read(BLOCK))) != b"":',
        "while block := file.read(BLOCK):",
        "tests/unit/inputs/test_formats.py::test_a_pause_of_the_writer_is_no_end_of_a_pipe_that_does_not_block",
    ),
    Bug(
        "a new ledger is closed without a look at its checkpoint",
        "ledger/sqlite/create.py",
        "    connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_TRUNCATE)\n",
        "    pass\n",
        "tests/unit/ledger/sqlite/test_disk_errors.py::test_a_ledger_whose_first_checkpoint_is_refused_is_not_there",
    ),
    Bug(
        "a rollback that SQLite has made already hides the disk's error",
        "ledger/sqlite/connection.py",
        "if isinstance(first, apsw.Error) and not self.in_transaction:",
        "if False:",
        "tests/unit/ledger/sqlite/test_disk_errors.py"
        "::test_a_ledger_that_is_made_while_files_may_not_grow_can_be_made_afterwards",
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
        "engine/unrecorded.py",
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
        "        if answer.status == TOO_MANY_REQUESTS:\n            await self.commits.record()\n",
        "        if answer.status == TOO_MANY_REQUESTS:\n",
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
        "trailers count as headers",
        "api/wire.py",
        "if not self._head_ended:  # trailers are ignored",
        "if True:",
        "tests/sockets/test_wire.py::test_trailers_never_count_as_headers",
    ),
    Bug(
        "a second answer in the same packet is swallowed",
        "api/wire.py",
        '            self._doubt(httpx.RemoteProtocolError("two answers to one request"))',
        "            pass",
        "tests/sockets/test_wire.py::test_a_second_answer_in_the_same_packet_ends_the_connection_and_no_refusal_is_believed",
    ),
    Bug(
        "a reset is the end of a body",
        "api/wire.py",
        "if exc is None and not self._answer.done()",
        "if not self._answer.done()",
        "tests/sockets/test_wire.py::test_a_reset_is_no_end_of_a_body",
    ),
    Bug(
        "a kept connection is used however old it is",
        "api/wire.py",
        " or time.monotonic() - self._idle_since >= keepalive_s",
        "",
        "tests/sockets/test_wire.py::test_a_connection_that_was_idle_for_long_is_not_used_again",
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
        "tests/sockets/test_reuse.py::test_surplus_bytes_are_never_taken_for_the_next_answer",
    ),
    Bug(
        "a target that is named twice is two",
        "inputs/targets.py",
        "_ROW.min().over(_TARGET).alias(Added.FIRST_ROW)",
        "_ROW.alias(Added.FIRST_ROW)",
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
        "if now - work.moved_at > context.limits.send_within_s:",
        "if False:",
        "tests/unit/engine/test_trouble.py::test_a_process_that_stood_still_after_an_intent_does_not_send_under_it",
    ),
    Bug(
        "the transport writes however late its connection stands",
        "api/failures.py",
        " or not self._may_leave():",
        ":",
        "tests/sockets/test_bytes_left.py::test_a_connection_that_stands_too_late_is_not_written_to",
    ),
    Bug(
        "what a send rests on is not looked at again when the connection stands",
        _SENDER,
        "            return not held_back\n",
        "            return True\n",
        "tests/unit/engine/test_looks.py::test_a_deadline_that_passes_while_the_connection_is_made_holds",
    ),
    Bug(
        "a cancel whose run died left with its intent",
        "engine/unknowns.py",
        "send_within(item.settle_s) if item.last_at <= item.intent_at else 0.0",
        "0.0",
        "tests/unit/engine/test_reconcile.py::test_the_longest_settle_time_holds_the_sending_runs_or_this_commands",
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
        "ledger/postgres/sharing.py",
        "        if lease is None:\n            return\n",
        "        if lease is None or lease:\n            return\n",
        "tests/unit/ledger/postgres/test_sharing.py::test_a_worker_that_lost_its_chunk_writes_nothing",
    ),
    Bug(
        "slots of a shared limit are used without being reserved",
        "engine/shared_limiter.py",
        "if self._left < count or self._untold_until or",
        "if self._untold_until or",
        "tests/unit/engine/test_shared_limiter.py::test_however_many_workers_wait_no_more_starts_than_was_reserved",
    ),
    Bug(
        "the whole burst of a shared limit is used",
        "engine/shared_limiter.py",
        "max(1, pace.burst - unspent)",
        "max(1, pace.burst - 0 * unspent)",
        "tests/unit/engine/test_shared_limiter.py::test_a_reservation_that_is_used_late_stays_within_the_servers_limit",
    ),
    Bug(
        "a throttle pauses its own process only",
        "engine/shared_limiter.py",
        "self._untold_until = max(self._untold_until, self.clock.monotonic() + pause_s)",
        "pass",
        "tests/unit/engine/test_shared_limiter.py::test_a_throttle_of_one_pauses_all",
    ),
    Bug(
        "a reserved slot that is used late does not wait for a pause of another worker",
        "engine/shared_limiter.py",
        "while self._heard_at < self.clock.monotonic() - WINDOW_S:",
        "while False:",
        "tests/unit/engine/test_shared_limiter.py::"
        "test_a_slot_that_is_used_after_its_window_waits_for_a_pause_of_another_process",
    ),
    Bug(
        "a pause that the database could not be told is forgotten",
        "cluster/chunk.py",
        "        if limiter.has_untold_pause:",
        "        if False:",
        "tests/unit/cluster/test_worker.py::test_a_pause_that_the_lost_database_could_not_be_told_still_holds",
    ),
    Bug(
        "a chunk of series has all else, too",
        "ledger/questions.py",
        "if scope.chunk and scope.chunk.series != series:",
        "if False:",
        "tests/contracts/test_scopes.py::test_a_chunk_has_either_series_or_other_rows_and_looks_up_series_without_an_outcome",
    ),
    Bug(
        "an intent in PostgreSQL has the time of its process",
        "ledger/postgres/appending.py",
        "replace(_storable(entry), at=found.now)",
        "_storable(entry)",
        "tests/unit/ledger/postgres/test_ages.py::test_an_intent_after_a_suspension_has_the_time_of_the_database",
    ),
    Bug(
        "an age in PostgreSQL is told by the clock of the process that asks",
        "engine/unknowns.py",
        "age_s = item.age_s if base is None",
        "age_s = clock.now() - item.last_at if base is None",
        "tests/unit/ledger/postgres/test_ages.py::test_an_age_is_the_databases_whatever_the_clock_of_the_process_that_asks",
    ),
    Bug(
        "a chunk that has ended leaves its owner the epoch",
        "ledger/sql/postgres.sql",
        "-- name: end_chunk\nUPDATE chunks SET epoch = epoch + 1,",
        "-- name: end_chunk\nUPDATE chunks SET",
        "tests/unit/ledger/postgres/test_sharing.py::test_a_worker_that_lost_its_chunk_writes_nothing",
    ),
    Bug(
        "a run that is given up leaves its owner the epoch",
        "ledger/sql/postgres.sql",
        "UPDATE chunks c SET epoch = epoch + 1, ended_at = clock_timestamp()",
        "UPDATE chunks c SET ended_at = clock_timestamp()",
        "tests/unit/cluster/test_worker.py::test_while_a_second_run_begins_the_owner_of_the_stopped_one_writes_and_sends_nothing",
    ),
    Bug(
        "every owner may be silent for 90 seconds",
        "ledger/postgres/sharing.py",
        '"take_chunk", run_no, chunk_no, owner, silence_s)',
        '"take_chunk", run_no, chunk_no, owner, 90.0)',
        "tests/unit/ledger/postgres/test_sharing.py::test_a_stopped_run_is_given_up_after_the_silence_of_its_own_workers",
    ),
    Bug(
        "the errors of a run are not counted over its workers",
        "cluster/chunk.py",
        "elif exceeds(standing.refused, 0, self._run_settings.limits.max_errors):",
        "elif False:",
        "tests/unit/cluster/test_worker.py::test_max_errors_are_of_the_whole_run_whichever_worker_found_them",
    ),
    Bug(
        "a worker does not notice that its run is stopped",
        "cluster/chunk.py",
        "        if standing.stopped:",
        "        if False:",
        "tests/unit/cluster/test_worker.py::test_a_run_is_stopped_with_the_next_commit",
    ),
    Bug(
        "a revoked token ends its chunks at once",
        "cluster/worker.py",
        "(record.given_back_s or 0.0) > silence_s",
        "True",
        "tests/unit/cluster/test_worker.py::test_a_revoked_token_gives_chunks_back_and_its_worker_takes_none_of_the_account",
    ),
    Bug(
        "a worker whose token was revoked goes on with the account",
        "cluster/worker.py",
        "if note.exit_code == Exit.CREDENTIAL:",
        "if False:",
        "tests/unit/cluster/test_worker.py::test_a_revoked_token_gives_chunks_back_and_its_worker_takes_none_of_the_account",
    ),
    Bug(
        "a chunk that no worker may do goes round for ever",
        "cluster/worker.py",
        "(record.given_back_s or 0.0) > silence_s",
        "False",
        "tests/unit/cluster/test_worker.py::test_a_chunk_that_no_worker_can_carry_out_ends_after_a_silence",
    ),
    Bug(
        "a worker leaves out the settings that it does not know",
        "cluster/run_settings.py",
        "        if unknown := sorted((document.keys() | limits.keys()) - known):",
        "        limits, unknown = {name: limits[name] for name in limits if name in known}, ()\n        if unknown:",
        "tests/unit/cluster/test_worker.py::test_settings_that_a_worker_does_not_know_are_refused",
    ),
    Bug(
        "a run sends a target again after each unknown outcome",
        _QUERIES,
        "NOT (t.attempts > 1 AND EXISTS",
        "NOT (t.attempts > 99 AND EXISTS",
        "tests/contracts/test_work.py::test_a_run_sends_a_target_once_more_after_an_unknown_outcome_and_the_next_run_does",
    ),
    Bug(
        "workers send a target again after each unknown outcome",
        _QUERIES,
        "NOT (t.attempts > 1 AND EXISTS",
        "NOT (t.attempts > 99 AND EXISTS",
        "tests/unit/cluster/test_worker.py::"
        "test_after_an_unknown_outcome_a_row_is_sent_once_more_in_a_run_whatever_reads_say",
    ),
    Bug(
        "a worker never again tries a credential that was refused once",
        "cluster/worker.py",
        "        if refused_in != run_id:",
        "        if not refused_in:",
        "tests/unit/cluster/test_worker.py"
        "::test_a_token_that_was_refused_once_is_tried_again_by_the_same_worker_in_the_next_run",
    ),
    Bug(
        "a worker does not lock its credential",
        "access/limit_sharing.py",
        "    with locked_together(path, what, ledger.place, setup.job.lock_wait):",
        "    if locked_together(path, what, ledger.place, setup.job.lock_wait):",
        "tests/unit/cluster/test_worker.py::test_a_local_run_and_a_worker_with_one_key_exclude_each_other",
    ),
    Bug(
        "workers of any ledger share a credential's lock",
        "ops/locks.py",
        "    if _holder(path).group == group:",
        "    if True:",
        "tests/unit/cluster/test_worker.py::test_workers_of_two_ledgers_with_one_key_exclude_each_other",
    ),
    Bug(
        "a worker does not know what others used of a limit",
        "access/limit_sharing.py",
        "        if ahead_s > 0:",
        "        if False:",
        "tests/unit/cluster/test_worker.py::test_a_local_run_and_a_worker_count_each_others_requests",
    ),
    Bug(
        "a refused CONNECT counts as sent",
        "api/failures.py",
        '== b"CONNECT":',
        '== b"NONE":',
        "tests/sockets/test_proxies.py::test_a_refused_connect_is_not_sent",
    ),
    Bug(
        "a refused password counts as a server that is away",
        "ledger/postgres/failures.py",
        "if any(words in str(error) for words in _REFUSED):",
        "if False:",
        "tests/unit/ledger/postgres/test_opening.py::test_a_wrong_password_and_a_wrong_name_are_settings_and_a_server_that_is_away_is_not",
    ),
    Bug(
        "with --wait a chunk of series that others block ends",
        "cluster/chunk.py",
        "if due_in_s is not None:",
        "if False:",
        "tests/unit/cluster/test_worker.py::test_with_wait_series_that_others_block_come_back",
    ),
    Bug(
        "with --wait a chunk of rows that a series of another chunk blocks ends",
        "cluster/chunk.py",
        "one.series == chunk.series",
        "one.series and chunk.series",
        "tests/unit/cluster/test_worker.py::test_with_wait_rows_that_the_series_of_another_account_blocks_come_back",
    ),
    Bug(
        "workers look up a series of an earlier run after the rows that wait for it",
        _QUERIES,
        "(entire_series = $5 OR entire_series AND state IN ('sending', 'unknown'))",
        "entire_series = $5",
        "tests/unit/cluster/test_worker.py::test_a_series_of_an_earlier_run_is_looked_up_before_the_rows_that_wait_for_it",
    ),
    Bug(
        "requests of a chunk's earlier owners are forgotten",
        "ledger/sql/postgres.sql",
        "posts = posts + $4,",
        "posts = $4,",
        "tests/unit/cluster/test_worker.py::test_requests_of_a_run_are_those_of_all_who_had_its_chunks",
    ),
    Bug(
        "requests from before a partition are forgotten",
        "cluster/worker.py",
        "self._work(ledger, lease, kept.counters)",
        "self._work(ledger, lease, Counters())",
        "tests/unit/cluster/test_worker.py::test_requests_from_before_and_after_a_partition_are_counted",
    ),
    Bug(
        "a reconcile that finds targets active says done",
        "reports/remains.py",
        "sendable=ledger.waiting_count()",
        "sendable=0",
        "tests/unit/execution/test_finish.py::test_a_reconcile_says_how_many_may_be_sent_again",
    ),
    Bug(
        "nobody is told that no worker takes a run",
        "cluster/dispatch.py",
        ">= _UNTAKEN_S",
        ">= 99 * _UNTAKEN_S",
        "tests/unit/cluster/test_parts.py::test_a_run_that_no_worker_takes_is_told_of_within_ten_seconds",
    ),
    Bug(
        "a database lost while a run is handed out promises that nothing was cancelled",
        "cluster/dispatch.py",
        "        raise _lost(error) from error",
        "        raise",
        "tests/unit/cluster/test_parts.py::test_a_database_that_is_lost_while_a_run_is_handed_out_is_temporary",
    ),
    Bug(
        "with --wait an account does not wait for another one's series",
        "engine/runner.py",
        "for _ in range(_MOST_LOOKS):",
        "for _ in range(0):",
        "tests/unit/library/test_python_api.py::"
        "test_with_wait_a_series_that_waits_for_another_accounts_is_sent_afterwards",
    ),
    Bug(
        "an account with an outcome for a person waits for no other account",
        "engine/runner.py",
        "if not (frees_others or context.limits.wait):",
        "if not (reconciled.sendable or reconciled.settled):",
        "tests/unit/engine/test_reconcile.py"
        "::test_with_wait_rows_wait_for_another_account_also_beside_what_only_a_person_can_settle",
    ),
    Bug(
        "an account waits for a few passes only until another one's series is settled",
        "engine/runner.py",
        "_MOST_LOOKS = 100",
        "_MOST_LOOKS = 1",
        "tests/unit/engine/test_reconcile.py::test_with_wait_rows_wait_until_another_accounts_series_is_settled",
    ),
    Bug(
        "what was decided is not looked at again at the send",
        _SENDER,
        "return None if decision.action is Action.CANCEL else (decision.why, Step.AGAIN)",
        "return None",
        "tests/unit/engine/test_looks.py::test_a_reading_that_grew_old_under_a_slow_commit_is_taken_anew",
    ),
    Bug(
        "something is awaited between a chunk's snapshot and its handing out",
        "engine/feed.py",
        "        self._after_row = found[-1][0]\n",
        "        await self._is_cheap()\n        self._after_row = found[-1][0]\n",
        "tests/unit/engine/test_looks.py::test_a_slow_ledger_does_not_hand_out_anew_what_a_worker_settles_meanwhile",
    ),
    Bug(
        "the send window is not looked at again at the send",
        _SENDER,
        "        if not context.is_open_hour():",
        "        if False:",
        "tests/unit/engine/test_looks.py::test_a_window_that_closes_while_the_intent_is_written_is_closed",
    ),
    Bug(
        "the deadline is not looked at again at the send",
        _SENDER,
        "if limit is not None and not limit.left_s(now):",
        "if False:",
        "tests/unit/engine/test_looks.py::test_a_deadline_that_passes_while_the_intent_is_written_holds",
    ),
    Bug(
        "what holds a slot leaves in a pause",
        _SENDER,
        "        if context.limiter.is_paused:",
        "        if False:",
        "tests/unit/engine/test_looks.py::test_nothing_leaves_in_a_pause_also_what_held_a_slot_while_its_commit_was_slow",
    ),
    Bug(
        "a read and its cancel wait for their slots apart",
        _SENDER,
        "context.turn(2 if needs_read else 1)",
        "context.turn(1)",
        "tests/unit/engine/test_looks.py::test_a_read_and_its_cancel_hold_their_slots_together_so_that_no_reading_is_old_at_64_workers",
    ),
    Bug(
        "the clock stands still while the machine is suspended",
        "ops/uptime.py",
        'time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()',
        "time.monotonic()",
        "tests/unit/engine/test_clock.py::test_the_deciding_clock_runs_on_during_a_suspension",
    ),
    Bug(
        "a page is read however late its rows can leave",
        "engine/feed.py",
        "if context.limiter.duration_s(rows + 1) <= _AHEAD_S)",
        "if rows)",
        "tests/unit/engine/test_looks.py::test_no_page_is_older_than_a_minute_when_its_cancels_leave_at_any_pace",
    ),
    Bug(
        "pages go by their number",
        "engine/list_walk.py",
        "self._number = self._number + 1 if last <= self.since else 0",
        "self._number += 1",
        "tests/unit/engine/test_looks.py::test_a_list_that_drops_what_is_cancelled_hides_no_row",
    ),
    Bug(
        "a cached page is as young as its answer",
        "engine/list_walk.py",
        "at = page.asked_at - page.answer.age_s",
        "at = page.asked_at",
        "tests/unit/engine/test_looks.py::test_a_page_from_a_cache_is_as_old_as_the_cache_says",
    ),
    Bug(
        "pages are read before the window opens",
        "engine/feed.py",
        "        if not await context.hours():\n            return False\n",
        "",
        "tests/unit/engine/test_looks.py::test_pages_are_not_read_before_the_window_opens",
    ),
    Bug(
        "a plan is compared only where a page shows the row",
        "engine/context.py",
        "is_due = self.limits.look is Look.EACH or (",
        "is_due = self.limits.look is Look.EACH and (",
        "tests/unit/engine/test_looks.py::test_every_row_of_a_plan_is_compared_with_what_was_approved_unless_nobody_is_to_look",
    ),
    Bug(
        "troubles of reads do not count",
        "engine/context.py",
        "        self.health.note(Asked.READ, classify_read(answer, told=told))\n",
        "",
        "tests/unit/engine/test_looks.py::test_an_outage_of_reads_of_20_s_is_survived_with_few_reads",
    ),
    Bug(
        "a pause of years is kept",
        "core/retry.py",
        "return min(seconds, LONGEST_WISH_S) if",
        "return seconds if",
        "tests/unit/core/test_retry.py::test_a_header_is_seconds_or_a_date_to_come_of_a_day_at_most_or_nothing",
    ),
    Bug(
        "a date of Retry-After is judged by our own clock",
        "api/client.py",
        "now = self._settings.now() if there is None else there",
        "now = self._settings.now()",
        "tests/unit/api/test_client.py::test_a_date_of_retry_after_is_judged_by_the_servers_own_clock",
    ),
    Bug(
        "a served read forgives throttled cancels",
        "engine/limiter.py",
        "self._throttles[asked] = 0",
        "self._throttles.clear()",
        "tests/unit/engine/test_looks.py::test_cancels_that_are_always_throttled_end_the_run_although_reads_are_served",
    ),
    Bug(
        "the settle time of the run that sent a cancel is forgotten",
        "engine/unknowns.py",
        "max(settle_s, item.settle_s)",
        "settle_s",
        "tests/unit/engine/test_reconcile.py::test_the_longest_settle_time_holds_the_sending_runs_or_this_commands",
    ),
    Bug(
        "a replica that lags outranks the ledger",
        "core/actions.py",
        "    if expected.is_cancelled:\n",
        "    if False:\n",
        "tests/unit/engine/test_looks.py::test_what_the_ledger_knows_as_cancelled_is_not_sent_by_a_replica_that_lags",
    ),
    Bug(
        "the ledger does not tell of what another target cancelled",
        _QUERIES,
        "AND o.target_id <> t.target_id AND o.attendee_id = '' AND o.state IN",
        "AND o.target_id <> t.target_id AND o.attendee_id = t.attendee_id AND o.state IN",
        "tests/contracts/test_work.py::test_work_tells_whether_the_whole_appointment_is_known_as_cancelled",
    ),
    Bug(
        "the age of a series hangs on the wall clock",
        _SENDER,
        "        return max(self._context.limits.settle_s, past.settle_s) - past.age_s(clock.base, clock.monotonic())",
        "        return max(self._context.limits.settle_s, past.settle_s) - (clock.now() - past.at)",
        "tests/unit/engine/test_looks.py"
        "::test_a_series_of_just_now_takes_two_readings_however_the_wall_clock_was_set_since",
    ),
    Bug(
        "a sibling of a series is read at once",
        _SENDER,
        "        is_lagging = context.decide(work).action in SENT and self._may_lag(work)\n",
        "        is_lagging = False\n",
        "tests/unit/engine/test_looks.py::test_after_a_series_its_siblings_are_read_twice_some_seconds_apart",
    ),
    Bug(
        "a worker whose clock is ahead takes a chunk away that was claimed just now",
        "cluster/stalled.py",
        "now = clock_of(ledger, worker.setup.machine.clock).now()",
        "now = worker.setup.machine.clock.now()",
        "tests/unit/cluster/test_parts.py::test_what_was_claimed_just_now_stays_on_a_machine_whose_clock_is_ahead",
    ),
    Bug(
        "what an approved plan leaves out is read after a series",
        _SENDER,
        "is_lagging = context.decide(work).action in SENT and self._may_lag(work)",
        "is_lagging = self._may_lag(work)",
        "tests/unit/engine/test_looks.py::test_what_a_plan_leaves_out_is_not_read_after_a_series",
    ),
    Bug(
        "a reading from within the settle time proves it active",
        _RECONCILE,
        "self._due_in_s(item, reading.taken_at) <= 0",
        "self._due_in_s(item) <= 0",
        "tests/unit/engine/test_reconcile.py::test_a_cached_answer_from_within_the_settle_time_proves_nothing",
    ),
    Bug(
        "two readings at one moment are two",
        _RECONCILE,
        "if missing_s > 0:",
        "if False:",
        "tests/unit/engine/test_reconcile.py::test_both_readings_are_taken_after_the_settle_time_some_seconds_apart",
    ),
    Bug(
        "a row is sent again and again in one run",
        _QUERIES,
        "NOT (t.attempts > 1 AND",
        "NOT (t.attempts > 99 AND",
        "tests/contracts/test_work.py::test_a_run_sends_a_target_once_more_after_an_unknown_outcome_and_the_next_run_does",
    ),
    Bug(
        "a canary that does not verify ends well when no row is left",
        "core/exit_codes.py",
        " or remains.for_a_run or halt.for_a_person)",
        " or remains.for_a_run)",
        "tests/unit/core/test_exit_codes.py::test_a_halt_for_a_person_stands_although_no_row_is_left",
    ),
    Bug(
        "a row beside a cancel that no read can settle waits for ever",
        _QUERIES,
        "'' IN (o.attendee_id, t.attendee_id) AND\n{not_undecided}\n  )) AND",
        "'' IN (o.attendee_id, t.attendee_id)\n  )) AND",
        "tests/contracts/test_unknown.py"
        "::test_a_row_waits_for_an_open_cancel_of_its_appointment_until_a_person_has_to_settle_that",
    ),
    Bug(
        "what reads deny of a canary is called cancelled",
        "engine/runner.py",
        "            if work in denied:\n",
        "            if False:\n",
        f"{_CANARY}::test_what_reads_deny_is_not_called_cancelled_and_halts_every_later_run",
    ),
    Bug(
        "a canary that reads deny is sent again after the settle time",
        _RECONCILE,
        "        if item.unverified:\n",
        "        if False:\n",
        f"{_CANARY}::test_what_reads_deny_is_not_called_cancelled_and_halts_every_later_run",
    ),
    Bug(
        "a cancel that the API forbids is taken for a canary",
        "engine/runner.py",
        "if work.sent and work.target_id not in self._held_forbidden]",
        "if work.sent]",
        "tests/unit/engine/test_canary.py::test_a_403_of_the_first_row_is_its_own_and_the_next_one_is_the_canary",
    ),
    Bug(
        "more canaries are sent while one has no known outcome",
        "engine/runner.py",
        "elif context.limits.canary and reconciled.unknown > reconciled.undecided:",
        "elif False:",
        f"{_CANARY}::test_a_canary_without_an_answer_is_waited_for_before_the_next_one",
    ),
    Bug(
        "the turn is given back before a canary is verified",
        "engine/runner.py",
        """            if claims is not None:  # until they are verified, series among them keep all others waiting
                await self._verify(self._sent(feed), claims)
""",
        """        if claims is not None:
            await self._verify(self._sent(feed), claims)
""",
        "tests/unit/library/test_python_api.py::test_a_series_waits_until_the_canary_of_another_account_is_verified",
    ),
    Bug(
        "what goes wrong while a run drains is not told",
        "engine/intake.py",
        "if self.halt is None or gravest((self.halt.exit_code, halt.exit_code)) is not self.halt.exit_code:",
        "if self.halt is None:",
        "tests/unit/engine/test_trouble.py::test_a_disk_that_is_full_while_the_run_drains_is_what_it_ends_with",
    ),
    Bug(
        "done is said of rows that are not what was approved any more",
        "core/exit_codes.py",
        "self.count(*BAD) + self.changed + self.warned",
        "self.count(*BAD) + self.warned",
        "tests/unit/core/test_exit_codes.py::test_0_is_never_said_while_a_person_is_needed",
    ),
    Bug(
        "done is said of cancellations whose after-effects went wrong",
        "core/exit_codes.py",
        "self.count(*BAD) + self.changed + self.warned",
        "self.count(*BAD) + self.changed",
        f"{_ENDS}::test_a_cancellation_whose_after_effects_went_wrong_is_told_once",
    ),
    Bug(
        "what changed since the approval is left out as if a rule said so",
        _SENDER,
        "event = Event.CHANGED if is_change else _NEEDS_NO_CANCEL.get(action)",
        "event = _NEEDS_NO_CANCEL.get(action)",
        f"{_ENDS}::test_a_plan_whose_rows_moved_needs_a_person",
    ),
    Bug(
        "it is not counted what only a person can settle",
        _QUERIES,
        "e.event IN ('undecided', 'unverified') AND e.attempt_no = t.attempts",
        "e.event IN ('undecided', 'unverified') AND e.attempt_no < 0",
        f"{_ENDS}::test_run_status_and_report_say_the_same_of_what_only_a_person_can_settle",
    ),
    Bug(
        "a plan that has expired is to be run again",
        "reports/remains.py",
        "return expires_at is not None and now >= float(expires_at)",
        "return False",
        f"{_ENDS}::test_after_a_plan_has_expired_the_named_files_finish_the_rest",
    ),
    Bug(
        "403s of series are counted anew in each pass",
        "engine/runner.py",
        "        await self._work(self._feed(series=True), 1)\n\n",
        "        await self._work(self._feed(series=True), 1)\n"
        "        await conclude_forbidden(self._context, self._held_forbidden)\n\n",
        f"{_TROUBLE}::test_403s_of_targets_that_wait_for_each_other_are_counted_over_all_passes",
    ),
    Bug(
        "a series that was forbidden keeps the others waiting",
        _SENDER,
        "        if Asked.CANCEL not in self._context.health.granted:\n"
        "            await self._context.move(work, Event.CREDENTIAL_REFUSED, answer)\n",
        "",
        f"{_TROUBLE}::test_403_on_every_series_is_the_credentials_fault_though_they_go_one_by_one",
    ),
    Bug(
        "403 on every look refuses every row for good",
        _SENDER,
        "if asked in granted:",
        "if asked is Asked.READ or asked in granted:",
        "tests/unit/engine/test_trouble.py::test_403_on_every_look_is_the_credentials_fault_as_it_is_on_every_cancel",
    ),
    Bug(
        "an appointment that is shown proves that the credential may cancel",
        "engine/context.py",
        "reading.appointment is not None:\n            self.health.granted.add(Asked.READ)",
        "reading.appointment is not None:\n            self.health.granted.update(Asked)",
        "tests/unit/engine/test_trouble.py"
        "::test_an_appointment_that_is_shown_is_no_evidence_that_the_credential_may_cancel",
    ),
    Bug(
        "nobody is told that a cache hides an outcome",
        _RECONCILE,
        "elif reading is not None and reading.taken_at == -math.inf and self._due_in_s(item) <= 0:",
        "elif False:",
        "tests/unit/engine/test_reconcile.py"
        "::test_an_outcome_that_a_cache_hides_is_left_to_a_person_who_is_told_of_the_cache",
    ),
    Bug(
        "nobody is told that a cache answers in place of the API",
        "core/actions.py",
        "    if not reading.is_cached:\n        return _NEWER\n",
        "    if True:\n        return _NEWER\n",
        "tests/unit/engine/test_looks.py::test_what_only_a_cache_shows_is_not_sent_and_says_what_to_do",
    ),
    Bug(
        "what was refused is sent again at once when its row is corrected",
        _SENDER,
        "        if why := self._why_too_early(work):\n",
        "        if False and (why := self._why_too_early(work)):\n",
        f"{_TROUBLE}::test_a_refused_target_is_not_sent_within_the_settle_time_even_if_the_clock_was_set",
    ),
    Bug(
        "the age of a refusal hangs on the wall clock",
        "core/clock.py",
        "return self.known_age_s if self.base is None else base.age_s(self.at, self.base, mono)",
        "return self.known_age_s if self.base is None else base.wall(mono) - self.at",
        f"{_TROUBLE}::test_a_refused_target_is_not_sent_within_the_settle_time_even_if_the_clock_was_set",
    ),
    Bug(
        "workers do not compare rows with what was approved",
        "cluster/chunk.py",
        "if self._run_settings.is_approved else None",
        "if self._run_settings is None else None",
        "tests/unit/cluster/test_worker.py::test_a_worker_of_an_approved_plan_leaves_out_what_is_not_as_approved",
    ),
    Bug(
        "what lies under a merged cell is read",
        "inputs/sheets.py",
        "return column <= merge.last_column and",
        "return column < merge.column and",
        "tests/unit/inputs/test_hostile_files.py::test_values_stored_under_a_merged_cell_are_not_read",
    ),
    Bug(
        "rows that a quote swallows are lost without a word",
        "inputs/delimited.py",
        "pl.when(holds_rows).then(pl.lit(_SWALLOWED))",
        "pl.when(holds_rows & False).then(pl.lit(_SWALLOWED))",
        "tests/unit/inputs/test_csv.py::test_a_row_that_swallows_others_says_so",
    ),
    Bug(
        "among interruptions an unanswered cancel is sent again",
        _SENDER,
        "Kind.NO_ANSWER: Sender._no_proof",
        "Kind.NO_ANSWER: Sender._not_processed",
        "tests/world/test_world.py::test_hostile_histories_break_no_invariant",
    ),
    Bug(
        "what a person has to look at is lost among the ends of accounts",
        "execution/runners.py",
        "return Halt(code, told, any(halt.for_a_person for halt in halts.values()))",
        "return Halt(code, told)",
        "tests/unit/execution/test_teams.py::test_a_halt_of_one_account_for_a_person_is_one_of_the_run",
    ),
    Bug(
        "a gateway's 429 counts as not processed",
        "core/outcome.py",
        "return _kind_of_error(answer) if answer.is_api_error else Kind.NONSENSE",
        "return _kind_of_error(answer) if answer.is_api_error or status == TOO_MANY_REQUESTS else Kind.NONSENSE",
        "tests/unit/core/test_outcome.py::test_every_status_with_every_body",
    ),
    Bug(
        "rows that may simply be run again end with 3",
        "core/exit_codes.py",
        "LEFT = (Status.PENDING, Status.FAILED)",
        "LEFT = (Status.PENDING,)",
        "tests/unit/core/test_exit_codes.py::test_rows_that_the_same_command_takes_up_end_with_5",
    ),
    Bug(
        "the slot of what is held back is not given back",
        _SENDER,
        "        if held_back := self._why_not_now(work):\n            context.limiter.give_back()\n",
        "        if held_back := self._why_not_now(work):\n",
        _WORLD,
    ),
    Bug(
        "a slot is kept when the intake has closed",
        "engine/context.py",
        "        if holds and self.intake.closed:\n"
        "            for _ in range(count):\n                self.limiter.give_back()\n",
        "",
        _WORLD,
    ),
    Bug(
        "the breaker opens one trouble late",
        "engine/breaker.py",
        "troubles >= _TROUBLES",
        "troubles > _TROUBLES",
        "tests/unit/engine/test_trouble.py::test_five_cancels_in_a_row_without_an_answer_are_the_last_before_a_probe",
    ),
    Bug(
        "a count keeps what left a state",
        "engine/counters.py",
        "            self.states[was] -= 1\n",
        "            pass\n",
        _WORLD,
    ),
    Bug(
        "a recovered attempt has another number",
        _SQLITE_QUERIES,
        "SELECT target_id, ?6, 'recovered', attempts, ?7 FROM targets",
        "SELECT target_id, ?6, 'recovered', attempts + 1, ?7 FROM targets",
        _WORLD,
    ),
    Bug(
        "tracebacks show local variables",
        "ops/logs.py",
        "structlog.processors.ExceptionRenderer(),",
        "structlog.processors.dict_tracebacks,",
        "tests/processes/crash/test_bugs.py::test_the_others_drain_and_a_rerun_finishes",
    ),
    Bug(
        "what one run keeps of its input is taken for another one's",
        "reports/result_folders.py",
        'return out / f"input-{run_id}.parquet"',
        'return out / "input-20270101-000000-0000.parquet"',
        f"{_KEPT}::test_a_run_that_is_killed_before_it_takes_its_folder_is_not_reported_with_the_rows_there",
    ),
    Bug(
        "the results of another input are replaced",
        "commands/run.py",
        "aside = put_aside(ledger, self.out, source.digest, _WRITTEN)",
        "aside = None",
        f"{_KEPT}::test_a_run_of_another_input_into_a_folder_keeps_what_is_there",
    ),
    Bug(
        "a run takes an id that another one has",
        "access/ledgers.py",
        "    while ledger.runs(run_id):",
        "    while False:",
        f"{_RUN_IDS}::test_an_id_that_a_run_of_the_ledger_has_is_not_taken_again",
    ),
    Bug(
        "a run takes the folder of results that another ledger's run has",
        "commands/run.py",
        "if not usual.exists() and not (out",
        "if not (out",
        f"{_RUN_IDS}::test_runs_of_two_ledgers_do_not_share_a_folder_of_results",
    ),
    Bug(
        "two runs at once write into one folder of results",
        "commands/run.py",
        "keys.lock_results(self.out, wait_s)",
        "pass",
        f"{_KEPT}::test_a_second_run_into_a_folder_where_one_is_at_work_is_refused_before_it_sends",
    ),
    Bug(
        "statuses are written beside rows that name other appointments",
        "reports/chunks.py",
        "return (appointment, attendee or None) == (target.appointment_id, target.attendee_id or None)",
        "return True",
        "tests/unit/reports/test_records.py::test_rows_that_name_others_than_the_snapshots_are_refused",
    ),
    Bug(
        "a person's decision is recorded of another target of the appointment",
        "commands/explain.py",
        'if part in ("", part_of(work.target))]',
        "][:1]",
        "tests/unit/commands/test_resolve.py::test_each_of_several_targets_of_an_appointment_is_settled_alone",
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
    if not bugs:
        print("No seeded bug has such a name.")
        return 2
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
    """Copy the program and what it brings along, to be broken there."""
    for name in ("src", "jobs", "sample_inputs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
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
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}"]
    command += ["-m", "", *tests]  # the long ones, too
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
