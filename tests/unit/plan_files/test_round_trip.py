"""What was planned is what is read: every row, every field that decides, in the same bytes every time."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from bulk_cancel.core.actions import SENT, Action, Expectation
from bulk_cancel.core.model import Contact, InputRow, Target
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.reason import reason_problem
from bulk_cancel.core.text import clean
from bulk_cancel.plan_files import PlanFile, open_plan, options_digest
from support.examples import examples
from support.plans import ABOUT, DAY, NOW, ONE_OF_EACH, invalid_row, line, row_of, seen, uuid, write_plan

VALID = [action for action in Action if action not in (Action.SAME, Action.INVALID)]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
REASONS = TEXTS.filter(lambda text: not reason_problem(text))
IDS = st.uuids().map(str)
SCOPES = st.sampled_from([{}, {"entire_series": True}, {"cancel_all": True}, {"attendee_id": uuid(5)}])


@st.composite
def planned(draw: st.DrawFn, row: int) -> PlanLine:
    action = draw(st.sampled_from(Action))
    if action is Action.INVALID:
        return PlanLine(invalid_row(row), action, draw(TEXTS))
    first_row = draw(st.integers(1, row - 1)) if action is Action.SAME else row
    changes = {"appointment_id": draw(IDS), "reason": draw(st.none() | REASONS), "user_id": draw(st.none() | IDS)}
    start = draw(st.none() | st.datetimes().map(lambda moment: moment.isoformat()))
    hosts = tuple(draw(st.lists(IDS, max_size=3)))
    look = draw(st.none() | st.just(seen(row, start=start, host_ids=hosts)))
    return PlanLine(row_of(row, first_row=first_row, **changes, **draw(SCOPES)), action, draw(TEXTS), look)


PLANS = st.sets(st.integers(2, 10**9), max_size=8).flatmap(lambda rows: st.tuples(*map(planned, sorted(rows))))


def expected_row(planned_line: PlanLine) -> InputRow:
    if planned_line.action is not Action.INVALID:
        return planned_line.row
    return planned_line.row._replace(problems=clean(planned_line.why, 2000).partition('"')[0])


def without_quotes(row: InputRow) -> InputRow:
    return row._replace(problems=row.problems.partition('"')[0] if row.problems is not None else None)


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=PLANS)
def test_a_written_plan_is_read_back_unchanged(path: Path, lines: tuple[PlanLine, ...]) -> None:
    digest = write_plan(path, ABOUT, lines)
    plan = open_plan(path, now=NOW, expect_digest=digest)
    rows = list(chain.from_iterable(plan.rows(chunk=3)))
    assert [without_quotes(row) for row in rows] == [expected_row(planned_line) for planned_line in lines]
    assert plan.header.actions == Counter(planned_line.action for planned_line in lines)
    for read, written in zip(plan.lines(), lines, strict=True):
        assert read.action is written.action
        if written.seen and written.action is not Action.INVALID:
            attendees = written.seen.attendee_ids if written.row.attendee_id is None else None
            others = None if attendees is None else tuple(sorted(attendees))
            assert read.planned == Expectation(written.seen.start, written.seen.host_ids, others)
        else:
            assert read.planned == Expectation()


def test_the_header_tells_what_the_plan_is(plan: PlanFile) -> None:
    header = plan.header
    assert (header.created_at, header.expires_at) == (NOW, NOW + DAY)
    assert (header.api_url, header.input, header.input_digest) == (ABOUT.api_url, ABOUT.input, ABOUT.input_digest)
    assert header.options_digest == options_digest({"skip_past": True, "reason": "Closed", "cancel_all": False})
    assert header.rows == len(ONE_OF_EACH) == sum(header.actions.values())


@pytest.mark.parametrize("given", [True, False])
def test_the_header_says_whether_refusals_are_sent_again(path: Path, given: bool) -> None:
    write_plan(path, replace(ABOUT, retry_refused=given), ONE_OF_EACH)
    assert open_plan(path, now=NOW).header.retry_refused is given
    assert ("retry_refused" in json.loads(path.read_text("ascii").splitlines()[0])) is given


def test_the_file_says_who_is_mailed_which_rows_are_for_groups_and_whose_the_reasons_are(path: Path) -> None:
    group = replace(line(2, cancel_all=True, reason_given=True), seen=seen(2, group_booking=True))
    single = replace(line(3, cancel_all=True), seen=seen(3, group_booking=False))
    write_plan(path, replace(ABOUT, mailed=3, mailed_again=1), [group, single])
    opened = open_plan(path, now=NOW)
    assert (opened.header.mailed, opened.header.mailed_again, opened.header.paid) == (3, 1, 0)
    assert [(one.is_for_a_group, one.row.reason_given) for one in opened.lines()] == [(True, True), (False, False)]
    assert [one.is_for_a_group for _, _, one in opened.approved()] == [True, False]


def test_a_run_stages_every_row_in_chunks(plan: PlanFile) -> None:
    chunks = list(plan.rows(chunk=5))
    assert [len(chunk) for chunk in chunks] == [5, 5, 2]
    assert list(chain.from_iterable(chunks)) == [planned_line.row for planned_line in ONE_OF_EACH]


def test_rows_that_are_not_sent_are_named_with_their_reason(plan: PlanFile) -> None:
    left_out = {one.action: (target, one.why) for _, target, one in plan.approved() if one.action not in SENT}
    assert set(left_out) == set(VALID) - {Action.CANCEL, Action.READ_FIRST, Action.SAME}
    assert left_out[Action.NOT_FOUND] == (Target(uuid(10)), "the API knows no such appointment")
    assert left_out[Action.SKIP] == (Target(uuid(12)), "it started on 2026-11-20 10:00 UTC: past")


def test_a_plan_keeps_what_was_seen_of_each_cancel(plan: PlanFile) -> None:
    approved = {target.appointment_id: one.seen for _, target, one in plan.approved() if one.action in SENT}
    assert approved.keys() == {uuid(2), uuid(3), uuid(4)}
    assert {(seen.start, seen.host_ids) for seen in approved.values()} == {
        ("2026-12-01T09:00:00Z", (uuid(801), uuid(802)))
    }


def test_the_same_plan_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    about = replace(ABOUT, options_digest=options_digest({"skip_past": True, "reason": "Closed", "cancel_all": False}))
    assert write_plan(path, ABOUT, ONE_OF_EACH) == write_plan(again, about, iter(ONE_OF_EACH))
    assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [{"created_at": NOW + 1}, {"input_digest": "cd" * 32}, {"options_digest": "ef" * 32}, {"api_url": "https://b"}],
    ids=lambda changes: next(iter(changes)),
)
def test_every_fact_enters_the_digest(path: Path, changes: dict[str, object]) -> None:
    one = write_plan(path, ABOUT, ONE_OF_EACH)
    assert write_plan(path, replace(ABOUT, **changes), ONE_OF_EACH) != one  # type: ignore[arg-type]


def test_only_fields_that_are_set_are_written(plan: PlanFile) -> None:
    lines = [json.loads(text) for text in plan.path.read_text("ascii").splitlines()]
    assert lines[1].keys() == {"row", "action", "why", "appointment_id", "reason", "start", "host_ids"}
    assert lines[5].keys() == {"row", "action", "why", "appointment_id", "reason"}
    assert lines[-2] == {"row": 14, "action": "invalid", "why": "appointment_id is empty"}
    assert lines[-1] == {"digest": plan.digest}


def test_nothing_about_a_person_is_written(path: Path) -> None:
    contact = Contact(uuid(900), "Erika Musterfrau", "erika@example.org", "+49 30 1")
    looked = seen(2, contacts=(contact,), location="Erika's home", meeting="Talk with Erika")
    whys = ('appointment_id is not a UUID: "Erika "x" Musterfrau"; user_id is not a UUID: "erika@example.org"',)
    lines = [
        PlanLine(row_of(2), Action.CANCEL, "asked for by erika@example.org", looked),
        *(PlanLine(invalid_row(row), Action.INVALID, why) for row, why in enumerate(whys, 3)),
    ]
    write_plan(path, replace(ABOUT, input="erika@example.org.csv"), lines)
    text = path.read_text("ascii").lower()
    assert "erika" not in text
    assert 'not a uuid: \\"\\u2026\\"' in text


def test_nothing_in_a_reason_can_hide_in_the_file(path: Path) -> None:
    reason = "Closed\u202e\u200b\t\n"
    write_plan(path, ABOUT, [line(2, reason=reason)])
    content = path.read_bytes()
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in content)
    assert next(open_plan(path, now=NOW).lines()).row.reason == reason


def test_a_plan_without_lines_is_a_plan(path: Path) -> None:
    digest = write_plan(path, ABOUT, ())
    plan = open_plan(path, now=NOW, expect_digest=digest)
    assert (list(plan.rows()), plan.header.rows, plan.header.actions) == ([], 0, {})
