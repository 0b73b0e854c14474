"""In which zone people read times: what the job says, a variable, the machine."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.environment import local_zone, named_zone

SYSTEM = next((Path(str(folder)) for folder in ("/usr/share/zoneinfo",) if Path(folder).is_dir()), None)


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "UTC"),
        ("Nowhere/Land", "UTC"),
    ],
)
def test_the_variable_tz_names_this_machines_zone(variable: str, name: str) -> None:
    assert str(local_zone({"TZ": variable})) == name


def test_without_a_variable_the_systems_link_names_the_zone(tmp_path: Path) -> None:
    there = tmp_path / "zoneinfo" / "America" / "New_York"
    there.parent.mkdir(parents=True)
    there.touch()
    link = tmp_path / "localtime"
    link.symlink_to(there)
    assert local_zone({}, link) == ZoneInfo("America/New_York")
    assert local_zone({}, tmp_path / "nothing") is UTC


@pytest.mark.skipif(SYSTEM is None or not (SYSTEM / "Europe/Berlin").exists(), reason="the system has no zones")
def test_a_file_without_a_name_is_taken_as_it_is(tmp_path: Path) -> None:
    assert SYSTEM is not None
    (tmp_path / "localtime").write_bytes((SYSTEM / "Europe/Berlin").read_bytes())
    zone = local_zone({}, tmp_path / "localtime")
    assert str(zone) == ""
    assert zone.utcoffset(None) is None


def test_a_command_without_a_job_takes_the_flag_then_the_variable() -> None:
    variable = {"BULK_CANCEL_TIMEZONE": "Europe/Rome"}
    assert named_zone("Europe/Berlin", variable) == ZoneInfo("Europe/Berlin")
    assert named_zone(None, variable) == ZoneInfo("Europe/Rome")
    assert named_zone(None, {}) is None
    with pytest.raises(ConfigError, match='"Mars" is not a time zone known here'):
        named_zone("Mars", {})
