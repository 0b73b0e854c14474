"""A rehearsal: the sandbox serves the ids of the real input, and the guide's three commands work as they stand."""

from __future__ import annotations

import csv
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl
import pytest

from bulk_cancel.commands.rehearse import seed_world
from bulk_cancel.errors import UsageError
from bulk_cancel.sandbox.world import Kind
from support.lab import made_ids
from support.shell import Shell
from support.signals import heed_signals

ROOT = Path(__file__).resolve().parents[3]
IDS = made_ids(4)
ATTENDEE = "00000000-0000-4000-8000-00000000aaaa"
TABLE = pl.DataFrame({"Termin": [*IDS[:3], IDS[3], "nonsense"], "attendee_id": ["", "", "", ATTENDEE, ""]})


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "ndjson", "xlsx"])
def test_a_job_of_any_format_is_served(ending: str, tmp_path: Path) -> None:
    write = {
        "csv": lambda path: TABLE.write_csv(path, separator=";"),
        "tsv": lambda path: TABLE.write_csv(path, separator="\t"),
        "parquet": TABLE.write_parquet,
        "ndjson": TABLE.write_ndjson,
        "xlsx": TABLE.write_excel,
    }[ending]
    write(tmp_path / f"in.{ending}")  # type: ignore[operator]  # each takes a path
    job = tmp_path / "job.toml"
    job.write_text(f'input = "in.{ending}"\n[map]\nappointment_id = "Termin"\n')
    world = seed_world(str(job))
    assert list(world.appointments) == IDS
    assert world.appointments[IDS[3]].kind is Kind.GROUP
    assert world.appointments[IDS[3]].attendee_ids == (ATTENDEE,)


def test_a_seed_serves_the_kinds_and_keeps_the_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"id,Kind\n{IDS[0]},paid\nnonsense,paid\n{IDS[1]},\n")
    world = seed_world(str(path))
    assert {id_: each.kind for id_, each in world.appointments.items()} == {IDS[0]: Kind.PAID, IDS[1]: Kind.SINGLE}
    path.write_text(f"id,Kind\nnonsense,\n{IDS[0]},strange\n")
    with pytest.raises(ValueError, match="row 3 has the unknown kind 'strange'"):
        seed_world(str(path))


def test_an_input_is_read_with_the_flags_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"Termin;Grund\r\n{IDS[0]};früh\r\n".encode("cp1252"))
    flags = {"map": ["Appointment-ID=termin"], "encoding": "cp1252"}
    assert list(seed_world(str(path), flags).appointments) == IDS[:1]


def test_a_search_has_no_file(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text('[select]\nfrom = "2026-12-24"\nto = "2026-12-24"\ntimezone = "UTC"\n')
    with pytest.raises(UsageError, match="no file to rehearse"):
        seed_world(str(job))


def test_a_seed_that_is_not_there(shell: Shell) -> None:
    assert shell("sandbox", "--seed", "none.csv").code == 66


# -- the three commands of docs/guides/rehearsal.md ------------------------------------------------


def commands(block: str = "rehearsal") -> list[str]:
    guide = (ROOT / "docs/guides/rehearsal.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"<!-- {block}:.*?-->\n```sh\n(.*?)\n```", guide, re.DOTALL)
    return [line.partition("  #")[0].strip() for line in block.splitlines()]


@contextmanager
def served(words: list[str], shell: Shell) -> Iterator[dict[str, str]]:
    """The sandbox's process, and what it tells a shell to export."""
    command = [sys.executable, "-u", "-m", "bulk_cancel", *words, "--port", "0"]
    with subprocess.Popen(
        command, cwd=shell.folder, env=shell.environ, stdout=subprocess.PIPE, text=True, preexec_fn=heed_signals
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            yield dict(line.removeprefix("export ").strip().split("=", 1) for line in lines[1:])
        finally:
            process.send_signal(signal.SIGINT)


def test_a_rehearsal_in_three_commands(shell: Shell, write: Callable[..., Path]) -> None:
    serve, export, run = commands()
    (shell.folder / "sample_inputs").symlink_to(ROOT / "sample_inputs")
    (shell.folder / "jobs").symlink_to(ROOT / "jobs")
    with served(shlex.split(serve.removesuffix("&"))[1:], shell) as told:
        variables = dict(word.split("=", 1) for word in shlex.split(export)[1:])
        assert variables.keys() == told.keys()
        assert variables["MEETERGO_TOKEN"] == told["MEETERGO_TOKEN"]
        shell.environ.update(told, BULK_CANCEL_LEDGER="rehearsal.db")
        words = shlex.split(run)[1:]
        done = shell(*words, "--rate", "500/s", "--settle", "1s", "--timeout", "3s", "--wait", "--json")
    assert done.code in (0, 3), done.stderr
    with (ROOT / "sample_inputs/nightly.csv").open(encoding="utf-8") as file:
        assert done.summary["rows"] == len(list(csv.reader(file))) - 1
    assert done.summary["counts"]["not_found"] == done.summary["counts"]["unknown"] == 0
    assert (shell.folder / "rehearsal.db").exists()


def test_the_sandboxs_own_addresses(shell: Shell, write: Callable[..., Path]) -> None:
    truth, block = ([*shlex.split(line)] for line in commands("rehearsal-own"))
    with served(["sandbox", "--count", "1"], shell) as told:
        here = told["MEETERGO_API_URL"].removesuffix("/v4")
        there = "http://127.0.0.1:8717"
        assert httpx.get(truth[-1].replace(there, here), trust_env=False).json()["applied"] == {}
        (_, _, day, address) = block
        assert httpx.post(address.replace(there, here), content=day, trust_env=False).status_code == 204
