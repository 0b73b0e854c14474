"""The table [select] of a job file, and the options of `find`: the same keys, checked alike."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bulk_cancel.core.selection import Days, Selection
from bulk_cancel.errors import ConfigError, UsageError
from bulk_cancel.settings.job import load_job, search_job

HOST = "11111111-1111-4111-8111-11111111111a"
DAY = 'from = 2026-12-24\nto = "2026-12-26"\ntimezone = "Europe/Berlin"\n'
WANTED = {"from": "2026-12-24", "to": "2026-12-26", "timezone": "Europe/Berlin"}
DAYS = Days(date(2026, 12, 24), date(2026, 12, 26), ZoneInfo("Europe/Berlin"))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BULK_CANCEL_INPUT", "BULK_CANCEL_RATE", "BULK_CANCEL_USER_ID", "MEETERGO_USER_ID"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str) -> str:
    file = folder / "job.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_select_table_with_all_keys_is_read(tmp_path: Path) -> None:
    more = f'location = " Berlin "\nhost = ["{HOST.upper()}"]\nmeeting_type = "{HOST}"\nchannel = "local"\n'
    job = load_job(write(tmp_path, f'reason = "closed"\n[select]\n{DAY}{more}'), {"burst": "7"})
    assert job.select is not None
    assert job.select.selection() == Selection(DAYS, "Berlin", (HOST,), False, HOST, "local")
    assert (job.input, job.reason, job.burst) == ("", "closed", 7)


def test_a_select_table_with_few_keys_and_one_host_as_text_is_read(tmp_path: Path) -> None:
    job = load_job(write(tmp_path, f'[select]\n{DAY}host = "{HOST}"\n'), {})
    assert job.select is not None
    assert job.select.selection() == Selection(DAYS, host_ids=(HOST,))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f'input = "a.csv"\n[select]\n{DAY}', "an input or a table [select], and not both"),
        ('reason = "x"', "an input or a table [select]"),
        ('input = ""', "an input or a table [select]"),
        ("[select]\n", "select.from: it is missing; select.to: it is missing; select.timezone"),
        (f"[select]\n{DAY}where = 1", "select.where: there is no such setting"),
        (f"[select]\n{DAY}first = 2026-12-24", "select.first: there is no such setting"),
        (f"[select]\n{DAY}all_hosts = true\nhost = '{HOST}'", "select: name hosts, or take all of them"),
        (f'[select]\n{DAY}host = ["me"]', "select.host.0: "),
        (f'[select]\n{DAY}location = "  "', "select.location: String should have at least 1"),
        ('[select]\nfrom = "2026-12-24"\nto = "2026-12-23"\ntimezone = "UTC"', "the last day is before the first"),
        ('[select]\nfrom = 20261224\nto = "24.12.2026"\ntimezone = "UTC"', "select.from: write a date"),
        ('[select]\nfrom = 2026-12-24T10:00:00\nto = 2026-12-24\ntimezone = "UTC"', "select.from: write a date"),
        ('[select]\nfrom = 2026-12-24\nto = 2026-12-24\ntimezone = "CEST"', 'timezone: "CEST" is not a time zone'),
        ('[select]\nfrom = 0001-01-01\nto = 9999-12-31\ntimezone = "UTC"', "select.to: Input should be less than"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_job(write(tmp_path, text), {})
    assert complaint in str(caught.value)


def test_a_search_ignores_an_input_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULK_CANCEL_INPUT", "a.csv")
    monkeypatch.setenv("BULK_CANCEL_RATE", "2/s")
    job = search_job({**WANTED, "location": None, "host": None}, {"burst": "3", "json": None})
    assert job.select is not None
    assert job.select.selection() == Selection(DAYS)
    assert (job.input, job.rate, job.burst) == ("", 2.0, 3)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"timezone": "Mars"}, 'timezone: "Mars" is not a time zone known here'),
        ({"to": "2026-12-23"}, "together: the last day is before the first"),
        ({"location": ""}, "location: String should have at least 1 character"),
        ({"from": "today"}, "from: write a date, for example 2026-12-24"),
    ],
)
def test_wrong_options_of_a_search(wrong: dict[str, str], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        search_job({**WANTED, **wrong}, {})
    assert complaint in str(caught.value)


def test_wrong_options_are_named() -> None:
    with pytest.raises(UsageError, match="find are wrong: rate"):
        search_job(WANTED, {"rate": "soon"})


def test_a_search_without_a_zone_says_what_to_type() -> None:
    with pytest.raises(UsageError, match="timezone: it is missing") as refused:
        search_job({name: value for name, value in WANTED.items() if name != "timezone"}, {})
    assert refused.value.advice == "Name the zone of the days: --timezone Europe/Berlin"
