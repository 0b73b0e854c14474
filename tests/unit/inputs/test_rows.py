"""What makes a row invalid, and what a valid one means."""

from __future__ import annotations

import csv
import io

import pytest

from bulk_cancel.errors import InputError


@pytest.fixture
def one_row(staging):
    """Stage one row given by its fields."""

    def read(default_cancel_all=False, default_reason="", **cells):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([cells.keys(), cells.values()])
        path = staging.file("input.csv", text.getvalue())
        (row,) = staging.rows(path, cancel_all=default_cancel_all, default_reason=default_reason)
        return row

    return read


def test_an_id_is_compared_in_lower_case_without_the_space_around(one_row, uuid):
    row = one_row(id=f" \t{uuid(10).upper()}\u00a0 ", attendee_id=uuid(11).upper(), user_id=f" {uuid(12)}")
    assert row[1:] == (uuid(10), uuid(11), False, False, None, uuid(12), 2, None, None, False, False, False, False)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("../x", "../x"),
        ("..", ".."),
        ("a/b", "a/b"),
        ("a#f", "a#f"),
        ("%2e%2e", "%2e%2e"),
        ("https://meetergo.com/3f2b8c1e-0000-4000-8000-000000000001", "https://meetergo.com/3f2b8c1e-0000-4000-…"),
        ("3f2b8c1e-00004000-8000-0000-00000001", "3f2b8c1e-00004000-8000-0000-00000001"),
        ("3f2b8c1e-0000-4000-8000-000000000001 2", "3f2b8c1e-0000-4000-8000-000000000001 2"),
        ("3f2b8c1e-0000-4000-8000-00000000000g", "3f2b8c1e-0000-4000-8000-00000000000g"),
        ("3f2b8c1e 0000-4000-8000-000000000001", "3f2b8c1e 0000-4000-8000-000000000001"),
        ("3f2b8c1e-0000-4000-8000-000000000001/\r\nx", r"3f2b8c1e-0000-4000-8000-000000000001/\x0d\x0ax"),
        ("３f2b8c1e-0000-4000-8000-000000000001", "３f2b8c1e-0000-4000-8000-000000000001"),
        ("\x1b[2J\u202eabc", r"\x1b[2Jabc"),
        ("a\u2028b", r"a\u2028b"),
        ("x" * 10_000, "x" * 40 + "…"),
    ],
)
def test_only_uuids_pass(one_row, uuid, written, shown):
    row = one_row(id=written, attendee_id=written, reason="r")
    assert row.problems == f'appointment_id is not a UUID: "{shown}"; attendee_id is not a UUID: "{shown}"'
    assert row[1:8] == (None, None, False, False, None, None, None)  # nothing of an invalid row can be used


@pytest.mark.parametrize(
    "written",
    [
        "{3F2B8C1E-0000-4000-8000-000000000001}",
        "(3f2b8c1e-0000-4000-8000-000000000001)",
        "urn:uuid:3f2b8c1e-0000-4000-8000-000000000001",
        "3f2b8c1e000040008000000000000001",
        '="3f2b8c1e-0000-4000-8000-000000000001"',
        "'3f2b8c1e-0000-4000-8000-000000000001",
        '"3f2b8c1e-0000-4000-8000-000000000001"',
        "„3f2b8c1e-0000-4000-8000-000000000001“",
        "3f2b8c1e\u20110000\u20114000\u20118000\u2011000000000001",
        "3f2b8c1e–0000–4000–8000–000000000001",
        "\u200b3f2b8c1e-0000-\u00ad4000-8000-000000000001\ufeff",
        "\u202a3f2b8c1e-0000-4000-8000-000000000001\u202c",
        "\u3000\u00a0 3f2b8c1e-0000-4000-8000-000000000001\n",
    ],
)
def test_every_clear_spelling_of_a_uuid_is_read_in_canonical_form(one_row, uuid, written):
    row = one_row(id=written, user_id=written)
    assert (row.appointment_id, row.user_id, row.problems) == (uuid(1), uuid(1), None)


@pytest.mark.parametrize("error", ["#N/A", "#NV", "#REF!", "#BEZUG!", "#NAME?", "#DIV/0!", "#¡VALOR!", "Err:502"])
@pytest.mark.parametrize("field", ["attendee_id", "user_id", "reason", "cancel_all", "cancel_entire_series"])
def test_an_error_of_a_sheet_is_never_taken_for_a_value_or_for_empty(one_row, uuid, field, error):
    row = one_row(id=uuid(1), default_cancel_all=True, **{field: error})
    assert row.problems == f"{field} is an error of the sheet: {error}"


@pytest.mark.parametrize("reason", ["#1 of 2", "#closed", "call #N/A", "#"])
def test_other_reasons_with_a_hash_are_kept(one_row, uuid, reason):
    assert one_row(id=uuid(1), reason=reason).reason == reason


def test_a_reason_kept_as_text_by_a_formula_is_that_text(one_row, uuid):
    assert one_row(id=uuid(1), reason='="0800 closed"').reason == "0800 closed"


def test_all_reasons_of_a_row_are_given(one_row, uuid):
    row = one_row(
        id=" ",
        reason="a\x07" + "x" * 510,
        attendee_id=uuid(1),
        cancel_all="YES",
        cancel_entire_series="1",
        user_id="me",
    )
    assert row.problems is not None
    assert row.problems.split("; ") == [
        "appointment_id is empty",
        'user_id is not a UUID: "me"',
        "reason has 512 characters, at most 500 are allowed",
        "reason contains control characters",
        "attendee_id and cancel_all contradict each other",
        "cancel_entire_series and attendee_id contradict each other",
        "cancel_entire_series and cancel_all contradict each other",
    ]


@pytest.mark.parametrize(
    "word", ["true", "TRUE", "Yes", " yes\t", "1", "1.0", "1,0", "WAHR", "Ja", "VRAI", "Sí", "ИСТИНА"]
)
def test_every_word_for_yes_is_read(one_row, uuid, word):
    assert one_row(id=uuid(1), cancel_all=word).cancel_all
    assert one_row(id=uuid(1), cancel_entire_series=word).entire_series


@pytest.mark.parametrize("word", ["false", "No", "0", "", "  ", "0.00", "FALSCH", "nein", "FAUX", "Não"])
def test_every_word_for_no_is_read(one_row, uuid, word):
    row = one_row(id=uuid(1), cancel_all=word, cancel_entire_series=word)
    assert (row.cancel_all, row.entire_series, row.problems) == (False, False, None)


def test_another_word_than_yes_or_no_is_invalid(one_row, uuid):
    row = one_row(id=uuid(1), cancel_all="Maybe", cancel_entire_series="2")
    assert row.problems == 'cancel_all is not a yes/no value: "Maybe"; cancel_entire_series is not a yes/no value: "2"'


@pytest.mark.parametrize(
    ("cells", "cancel_all"),
    [
        ({}, True),
        ({"cancel_all": ""}, True),
        ({"cancel_all": "no"}, False),
        ({"attendee_id": "3f2b8c1e-0000-4000-8000-000000000009"}, False),
        ({"cancel_entire_series": "yes"}, False),
        ({"cancel_entire_series": "no"}, True),
    ],
)
def test_the_default_of_cancel_all_is_for_rows_that_do_not_say(one_row, uuid, cells, cancel_all):
    row = one_row(default_cancel_all=True, id=uuid(1), **cells)
    assert (row.cancel_all, row.problems) == (cancel_all, None)


@pytest.mark.parametrize(
    ("reason", "read"),
    [
        ("  closed \n", "closed"),
        ("", None),
        (" \t ", None),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("two\r\nlines", "two\nlines"),
        ("x" * 500, "x" * 500),
        ("ü" * 500, "ü" * 500),
        ("\U0001f600" * 250, "\U0001f600" * 250),
        ("00123", "00123"),
        ("null", "null"),
        ('"quoted"', '"quoted"'),
    ],
)
def test_a_reason_is_kept_but_for_the_space_around_it(one_row, uuid, reason, read):
    row = one_row(id=uuid(1), reason=reason)
    assert (row.reason, row.problems) == (read, None)


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("ü" * 501, "reason has 501 characters, at most 500 are allowed"),
        (
            "\U0001f600" * 251,
            "reason has 251 characters that count as 502, at most 500 are allowed",
        ),
        ("a\rb", "reason contains control characters"),
        ("a\x7fb", "reason contains control characters"),
        ("a\x85b", "reason contains control characters"),
        ("a\x1b[31mb", "reason contains control characters"),
    ],
)
def test_a_reason_that_cannot_be_sent_is_invalid(one_row, uuid, reason, problem):
    assert one_row(id=uuid(1), reason=reason).problems == problem


def test_the_default_reason_is_for_rows_without_one(one_row, uuid):
    assert one_row(id=uuid(1), default_reason=" closed ").reason == "closed"
    assert one_row(id=uuid(1), reason=" ", default_reason="closed").reason == "closed"
    assert one_row(id=uuid(1), reason="ill", default_reason="closed").reason == "ill"


@pytest.mark.parametrize("reason", ["x" * 501, "a\x00b"])
def test_a_default_reason_that_cannot_be_sent_is_refused(one_row, uuid, reason):
    with pytest.raises(InputError, match="the reason for rows without one cannot be used"):
        one_row(id=uuid(1), default_reason=reason)
