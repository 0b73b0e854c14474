"""`--map FIELD=COLUMN`: the field in any spelling, and a pair that is the wrong way round is told as such."""

from __future__ import annotations

import pytest

from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.job import load_job


@pytest.mark.parametrize("field", ["appointment_id", "Appointment-ID", "APPOINTMENT ID"])
def test_a_field_is_named_in_any_spelling(field: str) -> None:
    assert load_job("a.csv", {"map": [f"{field}=Termin"]}).map == {"appointment_id": "Termin"}


@pytest.mark.parametrize("pair", ["Termin=appointment_id", "Termin=Appointment-ID"])
def test_a_pair_that_is_the_wrong_way_round_is_told_as_such(pair: str) -> None:
    with pytest.raises(ConfigError, match="is the wrong way round: write appointment_id=Termin"):
        load_job("a.csv", {"map": [pair]})


def test_two_fields_may_stand_in_each_others_columns() -> None:
    assert load_job("a.csv", {"map": ["reason=user_id"]}).map == {"reason": "user_id"}


@pytest.mark.parametrize("value", ["skip", "include"])
def test_hidden_rows_are_skipped_or_included(value: str) -> None:
    assert load_job("a.xlsx", {"hidden_rows": value}).hidden_rows == value
    with pytest.raises(ConfigError, match="hidden_rows"):
        load_job("a.xlsx", {"hidden_rows": "perhaps"})
