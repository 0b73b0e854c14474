"""`--map FIELD=COLUMN`: the field in any spelling, and a pair that is the wrong way round is told as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.errors import ConfigError, UsageError
from bulk_cancel.settings.job import load_job


@pytest.mark.parametrize("field", ["appointment_id", "Appointment-ID", "APPOINTMENT ID"])
def test_a_field_is_named_in_any_spelling(field: str) -> None:
    assert load_job("a.csv", {"map": [f"{field}=Termin"]}).map == {"appointment_id": "Termin"}


@pytest.mark.parametrize("pair", ["Termin=appointment_id", "Termin=Appointment-ID"])
def test_a_mapping_in_the_wrong_order_is_named_as_that(pair: str) -> None:
    with pytest.raises(UsageError, match="is the wrong way round: write appointment_id=Termin"):
        load_job("a.csv", {"map": [pair]})


def test_a_field_may_be_mapped_to_the_column_of_another() -> None:
    assert load_job("a.csv", {"map": ["reason=user_id"]}).map == {"reason": "user_id"}


@pytest.mark.parametrize("value", ["skip", "include"])
def test_hidden_rows_are_skipped_or_included(value: str) -> None:
    assert load_job("a.xlsx", {"hidden_rows": value}).hidden_rows == value
    with pytest.raises(UsageError, match="hidden_rows"):
        load_job("a.xlsx", {"hidden_rows": "perhaps"})


def test_a_mistyped_field_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"map: there is no field reson\. Did you mean reason\?") as refused:
        load_job("a.csv", {"map": ["reson=Grund"]})
    assert "[key]" not in str(refused.value)


def test_a_wrong_flag_is_the_command_lines_fault_and_a_wrong_job_file_a_settings(tmp_path: Path) -> None:
    job = tmp_path / "a.toml"
    job.write_text('input = "a.csv"\nrate = "fast"\n')
    with pytest.raises(ConfigError):
        load_job(str(job))
    with pytest.raises(ConfigError):
        load_job(str(job), {"timezone": "Mars"})
    with pytest.raises(UsageError, match="timezone"):
        load_job("a.csv", {"timezone": "Mars"})
