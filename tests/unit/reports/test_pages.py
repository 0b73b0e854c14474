"""What the pages say, told from a ledger and from the lines of a plan. How they look: tests/processes/browser."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import Appointment, Entry
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import LookSummary
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.reports.pages import layout
from bulk_cancel.reports.pages.figures import HEIGHT, WIDTH, interval_s, segments, timeline
from bulk_cancel.reports.pages.layout import Page, name_of
from bulk_cancel.reports.pages.plan_page import PlanFacts, PlanPage, writing_plan_page
from bulk_cancel.reports.pages.rendering import render
from bulk_cancel.reports.pages.run_page import run_page, write_run_page
from support.given import AT, BASE, entries, invalid, put, row, target, uuid
from support.plans import ONE_OF_EACH, broken_off, line, many, seen

FACTS = PlanFacts("folder of someone/closure.csv", "ab" * 32, AT, Pace(100 / 60, 200))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def begun(ledger: Ledger, count: int, *, with_invalid: bool = False) -> int:
    run_no = ledger.begin_run(RunStart("run-1", AT, BASE, "/home/someone/closure.csv", "ab"))
    rows = [row(number, number) for number in range(2, 2 + count)]
    ledger.stage(run_no, [*rows, invalid(count + 2)] if with_invalid else rows, AT)
    ledger.start_run(run_no)
    return run_no


def ended(ledger: Ledger, run_no: int, **told: object) -> Page:
    ledger.end_run(run_no, AT + 90, json.dumps(told))
    return run_page(ledger, ledger.runs()[0], AT)


def test_the_page_of_a_good_run_says_that_all_is_done(ledger: SqliteLedger) -> None:
    run_no = begun(ledger, 3)
    for number in (2, 3, 4):
        put(ledger, run_no, State.CANCELLED, number)
    page = ended(ledger, run_no)
    assert (page.headline, page.state.label, page.cards) == ("All 3 rows are done.", "complete", [])
    assert page.advice == "Done: nothing is left to do."
    assert ("Input", "closure.csv") in page.facts
    assert ("Took", "1 min 30 s") in page.facts


def test_the_page_says_what_to_do_for_rows_that_need_a_person(ledger: SqliteLedger) -> None:
    states = list(State)
    run_no = begun(ledger, len(states), with_invalid=True)
    for number, state in enumerate(states, 2):
        put(ledger, run_no, state, number)
    page = ended(ledger, run_no)
    assert page.state.label == "outcomes missing"
    assert page.headline == (
        "2 of 11 rows are done. 5 rows need a person. 3 rows are still to be sent. 1 row was left out."
    )
    assert [(card.kind.label, card.count) for card in page.cards] == [
        ("unknown", 2), ("failed", 1), ("rejected", 1), ("not found", 1), ("invalid", 1),
    ]  # fmt: skip
    assert [one.row for one in page.rows if one.for_a_person] == [3, 5, 8, 9, 10, 12]
    assert [one.row for one in page.rows] == list(range(2, 13))


def test_payments_and_warnings_are_told(ledger: SqliteLedger) -> None:
    run_no = begun(ledger, 1)
    put(ledger, run_no, State.SENDING, 2)
    work = target(ledger, 2)
    gone = Appointment(uuid(2), is_cancelled=True, paid=True, warnings=("CALENDAR_SYNC_FAILED",))
    ledger.append(run_no, [Entry(work.target_id, Event.CANCELLED, work.state, 1, AT, appointment=gone)])
    page = ended(ledger, run_no)
    assert page.headline == "The one row is done. Look at 1 paid and 1 with a warning, too."
    assert [card.kind.label for card in page.cards] == ["warning", "paid"]
    assert page.state.label == "needs a person"


def test_a_run_that_was_killed_is_told_as_such(ledger: SqliteLedger) -> None:
    begun(ledger, 2)
    page = run_page(ledger, ledger.runs()[0], AT)
    assert page.state.label == "not ended"
    assert "interrupted" in page.advice
    assert "run the same command again" in page.advice.lower()
    assert page.timeline is None


def test_the_page_keeps_the_runs_advice_until_the_counts_change(ledger: SqliteLedger) -> None:
    run_no = begun(ledger, 1)
    put(ledger, run_no, State.UNKNOWN, 2)
    counts = {str(kind): 0 for kind in ("cancelled", "already_cancelled", "not_found", "rejected", "failed")}
    counts |= {"unknown": 1, "pending": 0, "skipped": 0, "invalid": 0}
    assert ended(ledger, run_no, counts=counts, next="Then.", exit_code=4).advice == "Then."
    ledger.append(run_no, entries(target(ledger, 2), Event.SEEN_CANCELLED))
    assert run_page(ledger, ledger.runs()[0], AT).advice == "Done: nothing is left to do."


def test_a_long_table_shows_who_needs_a_person_and_says_what_it_leaves_out(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MOST_ROWS", 8)
    run_no = begun(ledger, 40)
    for number in (*range(20, 30), 35):
        put(ledger, run_no, State.UNKNOWN if number == 35 else State.REJECTED, number)
    page = ended(ledger, run_no)
    assert [one.row for one in page.rows] == [2, 3, 4, 20, 21, 22, 23, 35]
    assert page.note.startswith("This table shows 8 of 40 rows")
    assert "results.csv" in page.note


def test_a_run_without_rows_has_a_page(ledger: SqliteLedger, tmp_path: Path) -> None:
    run_no = begun(ledger, 0)
    ledger.end_run(run_no, AT, "{}")
    write_run_page(ledger, ledger.runs()[0], tmp_path / "out", AT)
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "There was nothing to cancel." in text
    assert (tmp_path / "out" / "report.html").stat().st_mode & 0o777 == 0o600


def test_a_plan_says_what_it_would_do() -> None:
    page = PlanPage(FACTS)
    for each in (*ONE_OF_EACH, replace(line(30), seen=seen(30, paid=True))):
        page.add(each)
    made = page.page()
    assert made.name == "closure.csv"
    assert made.headline == (
        "5 cancellations would be sent, 1 of a whole series. 1 row is looked up first. Nothing is sent for 7 rows."
    )
    assert [card.kind.label for card in made.cards][-1] == "paid"
    assert len(made.rows) == len(ONE_OF_EACH) + 1
    assert render(made).count("<tr ") == len(made.rows)


def test_cancel_all_is_shown_only_for_rows_that_may_be_group_bookings() -> None:
    """`--cancel-all` is about all rows: most of them are no group bookings."""
    page = PlanPage(FACTS)
    for number, group in ((2, False), (3, True), (4, None)):
        page.add(replace(line(number, cancel_all=True), seen=seen(number, group_booking=group)))
    everyone = ["everyone in the group"]
    page.add(replace(line(5, cancel_all=True), seen=None))
    page.add(replace(line(6, Action.NOTHING, cancel_all=True), seen=None))
    perhaps = ["everyone, if it is a group"]
    assert [list(shown.notes) for shown in page.page().rows] == [[], everyone, [], perhaps, []]
    assert "4 cancellations would be sent, 1 for everyone in a group, 1 for everyone if it is a group (not read)." in (
        page.page().headline
    )


def test_a_series_a_group_and_the_mailed_people_are_counted_in_the_header_of_a_plan() -> None:
    look = LookSummary(mails=Counter({"a": 2, "b": 1}))
    page, plain = PlanPage(replace(FACTS, look=lambda: look)), PlanPage(FACTS)
    page.add(line(2, entire_series=True))
    page.add(replace(line(3, cancel_all=True), seen=seen(3, group_booking=True)))
    plain.add(line(2))
    assert page.page().headline == (
        "2 cancellations would be sent, 1 of a whole series, 1 for everyone in a group. "
        "2 people get a mail, 1 of them more than one."
    )
    assert page.page().state.label == "look before you approve"
    assert (plain.page().headline, plain.page().state.label) == ("1 cancellation would be sent.", "nothing unusual")


def test_the_plan_of_a_closure_says_what_it_wants_before_and_after() -> None:
    check = "bulk-cancel closed --from 2026-12-24 --to 2026-12-24 --timezone Europe/Berlin"
    page, other = PlanPage(replace(FACTS, closure=check)), PlanPage(FACTS)
    for one in (page, other):
        one.add(line(2))
    block_first = "Block the day first, in the dashboard: a slot that is cancelled can be booked again at once."
    assert page.page().advice.endswith(f"\n{block_first}\nThen check whether the days are closed.\nType: {check}")
    assert f"Type: {check}" in render(page.page())
    assert "Block the day first" not in other.page().advice


def test_a_plan_that_fails_leaves_the_page_of_before(tmp_path: Path) -> None:
    (tmp_path / "plan.html").write_text("before")
    with pytest.raises(OSError, match="no network"), writing_plan_page(tmp_path, FACTS) as page:
        deque(map(page.add, broken_off()))
    assert (tmp_path / "plan.html").read_text() == "before"


def test_the_memory_of_a_plan_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_ROWS", 100)

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            page = PlanPage(FACTS)
            for each in many(count):
                page.add(each)
            assert page.actions[Action.CANCEL]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(10_000) < peak(1000) + 500_000  # bytes; the rows themselves would take several millions


@pytest.mark.parametrize("pace", [Pace(100 / 60, 200), Pace(20, 1), Pace(0.5, 7)])
def test_the_line_of_the_limit_is_never_under_what_it_allowed(pace: Pace) -> None:
    starts = [max(0.0, (number - pace.burst + 1) * pace.interval_s) for number in range(900)]
    span = (starts[0], starts[-1])
    width_s = interval_s(span[1])
    counts: dict[int, int] = {}
    for at in starts:
        counts[int(at / width_s)] = counts.get(int(at / width_s), 0) + 1
    drawn = timeline(span, counts.items(), pace, None)
    points = [tuple(map(float, point.split(","))) for point in drawn.limit.split()]
    assert len(drawn.bars) <= 60
    for bar in drawn.bars:
        (_, y), *_ = (point for point in points if abs(point[0] - bar.x) < WIDTH / 60 and point[0] <= bar.x)
        assert y <= bar.y + 0.1
        assert 0 <= bar.y <= HEIGHT


@pytest.mark.parametrize(
    ("counts", "percents"),
    [
        ((1, 1, 1), ["34 %", "33 %", "33 %"]),
        ((49, 2, 1, 1, 1, 3), ["86 %", "3 %", "2 %", "2 %", "2 %", "5 %"]),
        ((2, 1), ["67 %", "33 %"]),
        ((7,), ["100 %"]),
        ((996, 2, 2), ["99 %", "under 1 %", "under 1 %"]),
        ((970, 6, 6, 6, 6, 6), ["97 %", *["under 1 %"] * 5]),
        ((495, 495, 10), ["50 %", "49 %", "1 %"]),
    ],
)
def test_the_percents_of_a_bar_add_up_to_a_hundred(counts: tuple[int, ...], percents: list[str]) -> None:
    assert [part.percent for part in segments([*enumerate(counts)])] == percents


def test_every_part_of_a_bar_is_seen() -> None:
    parts = segments([("a", 999_999), ("b", 0), ("c", 1)])
    assert [(part.kind, part.percent) for part in parts] == [("a", "99 %"), ("c", "under 1 %")]
    assert parts[-1].width > 5
    assert sum(part.width for part in parts) == pytest.approx(WIDTH, abs=0.1)
    assert segments([]) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a.csv", "a.csv"),
        ("/home/someone/a.csv", "a.csv"),
        ("C:\\Users\\x\\a.csv", "a.csv"),
        ("s3://b/k/a.csv", "a.csv"),
        ("-", "-"),
        ("[select]", "[select]"),
    ],
)
def test_a_page_names_the_input_and_not_its_folder(source: str, name: str) -> None:
    assert name_of(source) == name
