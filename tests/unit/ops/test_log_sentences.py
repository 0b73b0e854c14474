"""A person's terminal shows sentences: no warning or error of the program is without one."""

from __future__ import annotations

import ast
import sys
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

import bulk_cancel
from bulk_cancel.ops.log_sentences import SENTENCES, sentence_of
from bulk_cancel.ops.logs import make_log

SOURCE = Path(bulk_cancel.__file__).parent
#: Shows a traceback, which is for the bug's report.
A_BUG = {"run.bug"}


@cache
def warnings() -> dict[str, ast.Call]:
    """Every warning and error of the program, by its event."""
    calls = [
        node
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    return {
        call.args[0].value: call
        for call in calls
        if call.func.attr in ("warning", "error")  # type: ignore[attr-defined]
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and "." in str(call.args[0].value)
    }


def test_every_warning_has_a_sentence() -> None:
    assert len(warnings()) > 10
    assert warnings().keys() - A_BUG <= SENTENCES.keys()


def test_a_sentence_is_made_of_what_the_event_brings() -> None:
    """All in one test: to know the events, every file of the program has to be parsed."""
    for event in sorted(warnings().keys() - A_BUG):
        given: dict[str, object] = {str(word.arg): 2 for word in warnings()[event].keywords}
        given |= {name: "text." for name in ("hint", "why", "told") if name in given}
        sentence = sentence_of({"event": event, **given})
        assert sentence[:1].isupper() or sentence[:1] == "2" or sentence == "text.", event
        assert sentence.endswith((".", "text")), event


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *, quiet: bool) -> str:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    log = make_log(quiet=quiet)
    log.info("run.progress", done=1)
    log.info("run.throttled", pause_s=2.0)
    log.info("lock.waiting", what="the ledger a.db", holder="process 7", at_most_s=1800.0)
    log.warning("run.time_short", needs="2 h", left="1 h")
    log.warning("run.draining", signal="SIGINT", in_flight=1, at_most_s=30.0, hint="a second one stops at once")
    return screen.getvalue()


def test_a_terminal_shows_no_raw_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, quiet=False).splitlines() == [
        "Another run holds the ledger a.db: process 7. Waiting for it, at most 30 min.",
        "Stopping (SIGINT): 1 request in flight, whose answers take at most 30 s. A second one stops at once.",
    ]


def test_the_second_ctrl_c_says_what_it_did_and_what_comes_next() -> None:
    assert sentence_of({"event": "run.stopped_at_once", "signal": "SIGINT", "in_flight": 2}) == (
        "Stopped at once (SIGINT). 2 requests had no answer yet: the same command reads the appointments before it "
        "sends. Nothing is lost."
    )


def test_a_quiet_run_shows_no_plan_so_the_warning_says_that_the_time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, quiet=True).splitlines() == [
        "The time does not suffice: the run needs 2 h and has 1 h.",
        "Stopping (SIGINT): 1 request in flight, whose answers take at most 30 s. A second one stops at once.",
    ]


def test_a_line_of_cron_s_mail_has_the_sentence_and_the_name_of_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = StringIO()
    monkeypatch.setattr(sys, "stderr", mail)
    log = make_log(quiet=True)
    log.info("run.put_aside", out="out", earlier="out/earlier/1")  # each night, with a new file: nothing to look at
    log.warning("run.time_short", needs="2 h", left="1 h")
    (line,) = mail.getvalue().splitlines()
    assert line.endswith(" [warning  ] run.time_short: The time does not suffice: the run needs 2 h and has 1 h.")


def test_results_that_are_put_aside_are_told_at_a_terminal_alone() -> None:
    assert "run.put_aside" not in warnings()
    assert sentence_of({"event": "run.put_aside", "out": "out", "earlier": "out/earlier/1"}) == (
        "out held the results of another input: they are in out/earlier/1 now."
    )
