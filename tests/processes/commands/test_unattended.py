"""Runs that nobody watches: files named by the day, days without one, and a time to stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.errors import ConfigError
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.settings.job import load_job
from support.lab import made_ids
from support.shell import Shell
from support.worlds import post_count, single

IDS = made_ids(4)
Write = Callable[..., Path]


@pytest.fixture
def source(sandbox: Sandbox, write: Write) -> Path:
    sandbox.reset(SandboxOptions(world=single(IDS), rate_per_s=10_000, burst=10_000))
    return write("a.csv", "id\n" + "\n".join(IDS) + "\n")


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def test_the_file_of_the_day_is_taken(shell: Shell, source: Path, write: Write) -> None:
    source.rename(source.with_name(f"{today()}.csv"))
    job = write("job.toml", 'input = "{today:%Y-%m-%d}.csv"\nout = "out-{today:%d}"\ntimezone = "UTC"\n')
    result = shell.run(job)
    assert (result.code, result.summary["counts"]["cancelled"]) == (0, 4), result.stderr
    assert result.summary["out"].endswith(f"out-{today()[-2:]}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('input = "{now}.csv"', "The setting input cannot be used: there is no date {now}"),
        ('input = "a.csv"\nout = "{today:%Q}"', "The setting out cannot be used"),
        ('input = "a.csv"\ntimezone = "Mars"', "timezone"),
        ('input = "a.csv"\ndeadline = "soon"', "deadline: "),
        ('input = "a.csv"\nmax_duration = "0s"', "max_duration: "),
        ('input = "a.csv"\nmissing_input = "perhaps"', "missing_input: "),
        ('input = "a.csv"\nnotify_on = ["always"]', "notify_on.0: "),
        ('[select]\nfrom = "{someday}"\nto = "{today}"\ntimezone = "UTC"', "there is no date {someday}"),
    ],
)
def test_a_wrong_date_or_time_says_so(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_job(str(file), {})
    assert complaint in str(caught.value)


def test_days_to_select_may_move(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text('[select]\nfrom = "{today}"\nto = "{tomorrow}"\ntimezone = "Pacific/Kiritimati"\n')
    select = load_job(str(file), {}).select
    assert select is not None
    assert select.last - select.first == timedelta(days=1)


def test_braces_on_the_command_line_stay(shell: Shell, source: Path) -> None:
    braces = source.rename(source.with_name("{today}.csv"))
    assert shell.run(braces).code == 0


def test_toml_has_times_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text('input = "a.csv"\ndeadline = 18:00:00\n')
    assert str(load_job(str(file), {}).deadline) == "18:00"


# -- nothing to do ---------------------------------------------------------------------------------


def nothing(shell: Shell, *words: str | Path) -> dict[str, Any]:
    result = shell("run", *words, "--yes", "--json", "--missing-input", "ok", "--quiet")
    assert (result.code, result.stderr) == (0, "")
    assert result.summary["rows"] == result.summary["exit_code"] == 0
    assert not [path for path in shell.folder.iterdir() if path.is_dir()], "no folder for results that are none"
    return result.summary


def test_a_day_without_a_file_ends_with_0(shell: Shell, sandbox: Sandbox) -> None:
    assert nothing(shell, "none.csv")["next"] == "Nothing to do: none.csv does not exist."
    assert post_count(sandbox.truth()) == 0
    assert shell("run", "none.csv", "--yes").code == 66
    planned = shell("plan", "none.csv", "--missing-input", "ok")
    assert (planned.code, planned.stdout) == (0, "Nothing to do: none.csv does not exist.\n")
    assert json.loads(shell("plan", "none.csv", "--missing-input", "ok", "--json").stdout)["rows"] == 0


def test_a_missing_folder_is_an_error_on_a_day_without_a_file(shell: Shell) -> None:
    assert shell("run", "gone/none.csv", "--yes", "--missing-input", "ok").code == 66


def test_a_file_without_rows(shell: Shell, write: Write) -> None:
    empty = write("empty.csv", "id,reason\n")
    assert nothing(shell, empty)["next"] == f"Nothing to do: {empty} has a header and no rows."
    assert shell("run", empty, "--yes").code == 65
    nothing_at_all = write("void.csv", "")
    assert shell("run", nothing_at_all, "--yes", "--missing-input", "ok").code == 65, "cut off, rather than empty"


def test_a_search_that_finds_nothing(shell: Shell, write: Write) -> None:
    job = write("job.toml", '[select]\nfrom = "1999-01-01"\nto = "1999-01-01"\ntimezone = "UTC"\n')
    assert nothing(shell, job)["next"] == "Nothing to do: the search found no appointment."
    assert shell("run", job, "--yes").code == 65


# -- a time to stop --------------------------------------------------------------------------------


def test_a_deadline_that_has_passed_sends_nothing(shell: Shell, sandbox: Sandbox, source: Path) -> None:
    result = shell.run(source, "--deadline", "2020-01-01T18:00Z")
    assert result.code == 5
    assert "The deadline, 2020-01-01 18:00 UTC, has passed. Nothing was sent." in result.stderr
    assert post_count(sandbox.truth()) == 0
    assert not (shell.folder / "runs").exists()


def test_a_run_stops_when_its_time_is_over_and_goes_on_the_next_time(
    shell: Shell, sandbox: Sandbox, source: Path
) -> None:
    slow = ("--rate", "1/min", "--burst", "5", "--max-duration", "2s", "--ledger", "l.db")
    result = shell("run", source, "--yes", "--json", *slow)
    assert result.code == 5, result.stderr
    assert result.summary["next"].startswith("The time of 2 s is over.")
    counts = result.summary["counts"]
    assert (counts["cancelled"] + counts["pending"], counts["unknown"]) == (4, 0)
    assert 1 <= counts["cancelled"] <= 3
    shell.environ["XDG_STATE_HOME"] = str(shell.folder / "fresh")  # its limiter need not wait for the minute
    again = shell.run(source, "--ledger", "other.db", "--look", "each")
    assert again.code == 0
    assert sandbox.truth().applied == dict.fromkeys(IDS, 1)


def test_the_plan_says_that_the_time_does_not_suffice(shell: Shell, source: Path) -> None:
    words = ("plan", source, "--rate", "1/min", "--burst", "1", "--max-duration", "2m")
    assert "It needs about 5 minutes, and only 2 min is left" in shell(*words).stdout
    fresh = str(shell.folder / "fresh")  # a limiter that need not wait for the minute
    assert shell(*words, "--json", XDG_STATE_HOME=fresh).summary["left_s"] <= 120
    assert "time for it is over" in shell("plan", source, "--deadline", "2020-01-01T00:00Z").stdout
