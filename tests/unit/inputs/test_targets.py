"""Rows that name the same target, and rows that contradict each other."""

from __future__ import annotations

import pytest

from bulk_cancel.errors import InputError

HEADER = "id,attendee_id,cancel_all,cancel_entire_series,user_id,reason\n"


@pytest.fixture
def table(staging, uuid):
    """Stage rows written as 'id attendee cancel_all series user', numbers for ids and - for nothing."""

    def stage(*lines):
        text = HEADER
        for line in lines:
            cells = [cell.replace("-", "") for cell in (line.split() + ["-"] * 5)[:5]]
            ids = (0, 1, 4)
            text += ",".join(uuid(int(cell)) if no in ids and cell else cell for no, cell in enumerate(cells)) + ",\n"
        return staging.rows(staging.file("input.csv", text))

    return stage


def firsts(rows):
    return [row.first_row for row in rows]


def test_rows_of_one_target_point_to_the_first(table):
    rows = table("1", "2", "1", "3", "1", "2")
    assert firsts(rows) == [2, 3, 2, 5, 2, 3]
    assert all(row.problems is None for row in rows)


def test_ids_are_compared_in_lower_case(staging, uuid):
    rows = staging.csv_rows(f"id\n{uuid(10).upper()}\n{uuid(10)}\n")
    assert firsts(rows) == [2, 2]


def test_several_attendees_of_one_appointment_are_fine(table):
    rows = table("1 7", "1 8", "1 7")
    assert firsts(rows) == [2, 3, 2]
    assert all(row.problems is None for row in rows)


def test_another_reason_is_no_contradiction(staging, uuid):
    rows = staging.csv_rows(f"id,reason\n{uuid(1)},ill\n{uuid(1)},closed\n")
    assert firsts(rows) == [2, 2]
    assert [row.reason for row in rows] == ["ill", "closed"]


def test_an_invalid_row_is_nobodys_first(staging, uuid):
    rows = staging.csv_rows(f"id,user_id\n{uuid(1)},nonsense\n{uuid(1)},\n{uuid(1)},\n")
    assert firsts(rows) == [None, 3, 3]


@pytest.mark.parametrize(
    ("one", "other", "scopes"),
    [
        ("1", "1 7", ("whole", "attendee")),
        ("1 7", "1", ("attendee", "whole")),
        ("1", "1 - - yes", ("whole", "series")),
        ("1 7", "1 - - yes", ("attendee", "series")),
        ("1 - yes", "1 7", ("whole", "attendee")),
    ],
)
def test_rows_of_one_appointment_with_different_scopes_are_all_invalid(table, one, other, scopes):
    rows = table(one, "2", other)
    end = "nothing is sent for either until one is removed"
    assert [row.problems for row in rows] == [
        f"row 4 names the same appointment with another scope ({scopes[1]}); {end}",
        None,
        f"row 2 names the same appointment with another scope ({scopes[0]}); {end}",
    ]
    assert rows[0][1:8] == (None, None, False, False, None, None, None)


def test_each_contradictory_row_names_the_first_that_contradicts_it(table):
    rows = table("1 7", "1 8", "1", "1 - - yes")
    assert [row.problems.split(";")[0].removeprefix("row ")[0] for row in rows] == ["4", "4", "2", "2"]


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("1 - yes", "1 - no", "cancel_all"),
        ("1 - yes", "1", "cancel_all"),
        ("1 - - - 5", "1 - - - 6", "user_id"),
        ("1 - - - 5", "1", "user_id"),
        ("1", "1 - - - 5", "user_id"),
        ("1 7 - - 5", "1 7 - - 6", "user_id"),
    ],
)
def test_rows_of_one_target_that_differ_in_use_are_all_invalid(table, one, other, what):
    rows = table(one, one, other)
    end = f"names the same target with another {what}; nothing is sent for either until one is removed"
    assert [row.problems for row in rows] == [f"row 4 {end}", f"row 4 {end}", f"row 2 {end}"]


def test_other_attendees_may_have_other_users(table):
    assert all(row.problems is None for row in table("1 7 - - 5", "1 8 - - 6"))


def test_both_kinds_of_contradiction_are_told(table):
    rows = table("1 - yes", "1 - no", "1 7")
    assert [row.problems.count("names the same") for row in rows] == [2, 2, 1]


def test_many_small_groups_give_the_same_as_one(table, monkeypatch):
    lines = [f"{no % 37} {'-' if no % 5 else 7} {'-' if no % 11 else 'yes'}" for no in range(200)]
    at_once = table(*lines)
    monkeypatch.setattr("bulk_cancel.inputs.targets.HASHES_AT_A_TIME", 20)
    monkeypatch.setattr("bulk_cancel.inputs.targets.ROWS_AT_A_TIME", 9)
    monkeypatch.setattr("bulk_cancel.inputs.snapshot.rows_at_a_time", lambda _columns: 13)
    in_groups = table(*lines)
    assert at_once == in_groups
    assert {row.problems is None for row in at_once} == {True, False}


def test_one_appointment_in_a_great_many_rows_is_another_column(table, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.targets.MAX_ROWS_PER_APPOINTMENT", 9)
    with pytest.raises(InputError, match="more than 9 rows name one appointment"):
        table(*["1"] * 10)
