"""Which column is meant."""

from __future__ import annotations

import pytest

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.header_row import header_row
from bulk_cancel.inputs.headers import resolve_columns


@pytest.mark.parametrize(
    "header",
    ["appointment_id", "appointmentId", "Appointment ID", "APPOINTMENT-ID", " appointment id ", "id", "ID", "Id "],
)
def test_headers_match_without_regard_to_case_spaces_hyphens_underscores(header):
    assert resolve_columns(["note", header], {}) == {"appointment_id": header}


def test_every_field_has_its_column():
    columns = ["Cancel all", "cancelEntireSeries", "attendee-id", "REASON", "userId", "id"]
    assert resolve_columns(columns, {}) == {
        "appointment_id": "id",
        "reason": "REASON",
        "attendee_id": "attendee-id",
        "cancel_all": "Cancel all",
        "cancel_entire_series": "cancelEntireSeries",
        "user_id": "userId",
    }


def test_the_full_name_beats_the_short_one():
    assert resolve_columns(["id", "appointment_id"], {}) == {"appointment_id": "appointment_id"}


def test_the_mapping_beats_every_header():
    found = resolve_columns(["appointment_id", "Termin", "id"], {"appointment_id": "Termin"})
    assert found == {"appointment_id": "Termin"}


def test_a_mapped_column_is_taken():
    with pytest.raises(InputError, match="no column holds the appointment ids"):
        resolve_columns(["id", "x"], {"reason": "id"})


@pytest.mark.parametrize(
    ("columns", "mapping", "sentence"),
    [
        (["id", "ID"], {}, 'columns "id", "ID" could each be appointment_id'),
        (["appointment_id", "Appointment ID"], {}, "could each be appointment_id"),
        (["id", "Reason", "reason"], {}, "could each be reason"),
        (["id", "x", "x"], {}, 'columns 2 and 3 have the same header "x"'),
        (["id", "__bc_row"], {}, 'the header "__bc_row" is reserved'),
        (["id", "x"], {"reason": "y"}, 'there is no column "y" for reason; the columns are "id", "x"'),
        (["id", "x"], {"grund": "x"}, '"grund" cannot be mapped'),
        (["id"], {"reason": "id", "user_id": "id"}, 'column "id" is mapped to 2 fields'),
        ([f"c{no}" for no in range(40)], {}, "and 10 more"),
    ],
)
def test_ambiguous_columns_are_refused(columns, mapping, sentence):
    with pytest.raises(InputError, match=sentence):
        resolve_columns(columns, mapping)


@pytest.mark.parametrize("name", ["termin nr", "Termin-Nr", "TERMIN_NR", "\u200btermin nr"])
def test_a_mapping_names_a_column_as_everything_else_does(name):
    assert resolve_columns(["id", "Termin Nr"], {"appointment_id": name}) == {"appointment_id": "Termin Nr"}


def test_a_mapping_takes_the_very_name_first():
    assert resolve_columns(["termin", "Termin"], {"appointment_id": "Termin"}) == {"appointment_id": "Termin"}
    with pytest.raises(InputError, match='columns "termin", "Termin" could each be "TERMIN"'):
        resolve_columns(["termin", "Termin"], {"appointment_id": "TERMIN"})


def test_of_two_like_columns_the_mapped_one_is_taken():
    assert resolve_columns(["id", "ID"], {"appointment_id": "ID"}) == {"appointment_id": "ID"}


def test_a_title_is_not_taken_for_the_names_that_a_person_has_to_choose_from():
    """Nobody has named the column of the ids yet: the error lists the names below the title."""
    title, names = (1, {0: "Schließung im Dezember"}), (3, {0: "Nr.", 1: "Termin", 2: "Kunde"})
    below = (4, {0: "1", 1: "6f0e8f5e-0000-4000-8000-000000000002", 2: "Änne"})
    assert header_row([title, names, below], {}).names == ("Nr.", "Termin", "Kunde")
    assert header_row([title, (2, {0: "Termin"})], {}).number == 1, "one column may be all there is"
