"""The summary's document, and the sentence that says what to do now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.exit_codes import Halt, Remains, decide_exit
from bulk_cancel.core.model import Status
from bulk_cancel.errors import Exit
from bulk_cancel.reports.summary import Ending, Requests, Summary, next_step, to_json, write_summary

SUMMARY = Summary(
    run_id="2026-11-22-1",
    rows=4,
    targets=3,
    counts={Status.INVALID: 1, Status.CANCELLED: 3},
    requests=Requests(posts=3, gets=1, throttled=0),
    elapsed_s=1.23456,
    exit_code=Exit.REFUSED_ROWS,
    out="runs/ä",
    ledger="ledger.db",
    next="Done.",
)

S = Status


@pytest.fixture
def _vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_json_document_of_a_summary_has_all_fields() -> None:
    document = json.loads(to_json(SUMMARY))
    assert list(document) == [
        "schema_version",
        "run_id",
        "rows",
        "targets",
        "counts",
        "limit",
        "requests",
        "elapsed_s",
        "exit_code",
        "out",
        "ledger",
        "next",
        "paid",
        "provenance",
    ]
    assert list(document["counts"].items()) == [
        ("cancelled", 3),
        ("already_cancelled", 0),
        ("not_found", 0),
        ("rejected", 0),
        ("failed", 0),
        ("unknown", 0),
        ("pending", 0),
        ("skipped", 0),
        ("invalid", 1),
    ]
    assert document["requests"] == {"posts": 3, "gets": 1, "throttled": 0, "unseen": 0}
    assert (document["schema_version"], document["elapsed_s"], document["exit_code"]) == (1, 1.235, 3)
    assert document["out"] == "runs/ä"


def test_the_text_is_one_ascii_document_with_an_end_of_line() -> None:
    text = to_json(SUMMARY)
    assert text.isascii()
    assert text.endswith("}\n")
    assert text == to_json(SUMMARY)


def test_the_file_holds_the_same_document(tmp_path: Path) -> None:
    path = write_summary(to_json(SUMMARY), tmp_path / "out")
    assert path == tmp_path / "out" / "summary.json"
    assert path.read_text() == to_json(SUMMARY)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "out").iterdir()) == [path]


@pytest.mark.parametrize(
    ("counts", "exit_code", "sentence"),
    [
        ({S.CANCELLED: 9}, Exit.OK, "Done: nothing is left to do."),
        ({S.CANCELLED: 9, S.SKIPPED: 1}, Exit.OK, "Done: nothing is left to do; 1 row was skipped."),
        (
            {S.REJECTED: 2, S.NOT_FOUND: 1, S.INVALID: 2},
            Exit.REFUSED_ROWS,
            "Correct failed.csv (3 rows) and invalid.csv (2 rows) and run them as a new input.",
        ),
        ({S.INVALID: 1}, Exit.REFUSED_ROWS, "Correct invalid.csv (1 row) and run it as a new input."),
        ({S.FAILED: 2}, Exit.REFUSED_ROWS, "Run the same command again to try 2 rows that could not be sent."),
        (
            {S.FAILED: 2, S.REJECTED: 1},
            Exit.REFUSED_ROWS,
            "Run the same command again to try 2 rows that could not be sent. "
            "Correct failed.csv (1 of 3 rows) and run it as a new input.",
        ),
        (
            {S.UNKNOWN: 1},
            Exit.UNKNOWN,
            "1 row has no known outcome; run the same command again, it looks before it sends.",
        ),
        (
            {S.UNKNOWN: 2000, S.PENDING: 3, S.INVALID: 1},
            Exit.UNKNOWN,
            "2,000 rows have no known outcome; run the same command again, it looks before it sends, "
            "and goes on with 3 rows. Correct invalid.csv (1 row) and run it as a new input.",
        ),
        ({S.PENDING: 120}, Exit.STOPPED, "120 rows are still to be sent: run the same command again."),
        (
            {S.PENDING: 120, S.UNKNOWN: 1},
            Exit.STOPPED,
            "120 rows are still to be sent: run the same command again; 1 row has no known outcome, "
            "it looks before it sends.",
        ),
        (
            {S.PENDING: 1},
            Exit.CREDENTIAL,
            "Check the credential and the user id, then run the same command again to go on with 1 row.",
        ),
        (
            {S.PENDING: 5},
            Exit.UNREACHABLE,
            "Nothing was cancelled; check the network and the address of the API (MEETERGO_API_URL), then run the "
            "same command again to go on with 5 rows.",
        ),
    ],
)
def test_each_ending_has_its_next_step(counts: dict[Status, int], exit_code: Exit, sentence: str) -> None:
    assert next_step(Ending(Remains(counts), exit_code)) == sentence


def test_a_halt_says_its_reason_first() -> None:
    ending = Ending(Remains({S.PENDING: 2}), Exit.STOPPED, halt="The API asks to wait 20 minutes.")
    expected = "The API asks to wait 20 minutes. Run the same command again to go on with 2 rows."
    assert next_step(ending) == expected


@pytest.mark.usefixtures("_vienna")
@pytest.mark.parametrize(
    ("due_at", "when"),
    [
        (1_795_000_000.0, "2026-11-18 12:07 CET"),
        (1_795_000_020.0, "2026-11-18 12:07 CET"),
        (1_780_000_000.5, "2026-05-28 22:27 CEST"),
    ],
)
def test_when_to_look_again_is_local_time_and_never_too_early(due_at: float, when: str) -> None:
    sentence = next_step(Ending(Remains({S.UNKNOWN: 1}), Exit.UNKNOWN, due_at=due_at))
    assert sentence == f"1 row has no known outcome; run the same command again after {when}, it looks before it sends."


def test_an_undecided_outcome_is_for_a_person() -> None:
    for_a_person = (
        "No read can settle 1 unknown outcome, unknown.csv says why: a person decides, with `bulk-cancel resolve`."
    )
    some, all_of_them = Remains({S.UNKNOWN: 2}, undecided=1), Remains({S.UNKNOWN: 1}, undecided=1)
    assert next_step(Ending(some, Exit.UNKNOWN)) == (
        f"1 row has no known outcome; run the same command again, it looks before it sends. {for_a_person}"
    )
    assert next_step(Ending(all_of_them, Exit.REFUSED_ROWS)) == for_a_person


@pytest.mark.parametrize(
    ("remains", "sentence"),
    [
        (
            Remains({S.SKIPPED: 2}, changed=2),
            "2 rows are not what was approved any more, results.csv says why: plan them again.",
        ),
        (
            Remains({S.CANCELLED: 3}, warned=1),
            "An after-effect of 1 cancellation went wrong, results.csv says which: look at it in meetergo.",
        ),
        (
            Remains({S.UNKNOWN: 0}, sendable=2),
            "2 cancels were not applied and may be sent again: run the input that names them.",
        ),
    ],
)
def test_the_next_step_is_not_done_while_a_person_has_to_look(remains: Remains, sentence: str) -> None:
    assert next_step(Ending(remains, decide_exit(remains))) == sentence


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            {S.PENDING: 2},
            "The plan has expired and cannot be run any more: make a plan of out/unprocessed.csv, which has the 2 "
            "rows still to be sent, and run that.",
        ),
        (
            {S.PENDING: 1, S.FAILED: 1},
            "The plan has expired and cannot be run any more: make a plan of out/unprocessed.csv and "
            "out/failed.csv, which have the 2 rows still to be sent, and run that.",
        ),
        (
            {S.UNKNOWN: 1},
            "1 row has no known outcome: look it up with `bulk-cancel reconcile`, then write the files again with "
            "`bulk-cancel report`. The plan has expired and cannot be run any more: make a plan of "
            "out/unprocessed.csv, if it is there then, and run that.",
        ),
        ({S.REJECTED: 1}, "Correct failed.csv (1 row) and run it as a new input."),
    ],
)
def test_after_a_plan_has_expired_nobody_is_sent_to_run_it_again(counts: dict[Status, int], sentence: str) -> None:
    remains = Remains(counts)
    told = next_step(Ending(remains, decide_exit(remains), expired_in="out"))
    assert told == sentence
    assert "run the same command" not in told


@pytest.mark.parametrize("exit_code", Exit)
def test_every_exit_code_has_an_answer(exit_code: Exit) -> None:
    counts = {S.INVALID: 1} if exit_code is Exit.REFUSED_ROWS else {}
    counts |= {S.UNKNOWN: 1} if exit_code is Exit.UNKNOWN else {}
    sentence = next_step(Ending(Remains(counts), exit_code))
    assert len(sentence) > 20
    assert not sentence[0].islower()
    assert sentence.endswith(".")


@given(counts=st.dictionaries(st.sampled_from(Status), st.integers(0, 3)), halted=st.booleans())
def test_every_run_is_told_what_to_do(counts: dict[Status, int], halted: bool) -> None:
    halt = Halt(Exit.STOPPED, "Asked to stop.") if halted else None
    remains = Remains(counts)
    exit_code = decide_exit(remains, halt)
    sentence = next_step(Ending(remains, exit_code, halt=halt.message if halt else ""))
    assert sentence.endswith(".")
    assert ("nothing is left to do" in sentence) == (exit_code is Exit.OK)
    assert (counts.get(S.UNKNOWN, 0) > 0) == ("no known outcome" in sentence)


def test_rows_that_wait_for_a_cancel_of_another_input_say_until_when() -> None:
    told = next_step(Ending(Remains({Status.PENDING: 2}), Exit.STOPPED, due_at=1_795_000_000.0))
    assert told.startswith(
        "2 rows wait for an earlier cancel that may still take effect; run the same command again after"
    )
