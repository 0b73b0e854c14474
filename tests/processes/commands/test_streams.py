"""What is at the other end of stdout and stderr decides nothing about a run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shell import QUICK, Shell

ID = "3f2b8c1e-0000-4000-8000-00000000000{}".format
ONLY_LINUX = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="only Linux has a device that is always full, and pipes with a path"
)
COMMAND = [sys.executable, "-m", "bulk_cancel"]


@pytest.fixture
def source(shell: Shell) -> Path:
    """One row whose reason no small encoding has, with what a terminal would obey in a column's name."""
    path = shell.folder / "in.csv"
    path.write_text(f"id,reason,x\x1b]0;title\x07\u202e\n{ID(1)},北京 büro → zu,\n", encoding="utf-8")
    return path


@pytest.fixture
def gone() -> Iterator[str]:
    """The path of a pipe whose reader has gone away."""
    reader, writer = os.pipe()
    os.close(reader)
    yield f"/proc/{os.getpid()}/fd/{writer}"
    os.close(writer)


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.long), "utf-8"])
def test_a_stdout_of_any_encoding_is_written_with_replacements(shell: Shell, source: Path, encoding: str) -> None:
    done = subprocess.run(
        [*COMMAND, "plan", source, "--look", "never"], cwd=shell.folder, capture_output=True, timeout=60, check=False,
        env={**shell.environ, "PYTHONIOENCODING": f"{encoding}:strict", "COLUMNS": "100"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert "北京 büro → zu".encode(encoding, "replace") in done.stdout


@ONLY_LINUX
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away_does_not_end_a_run(shell: Shell, source: Path, gone: str, stream: str) -> None:
    words = ("run", source, "--yes", *QUICK, "--out", "out", "--log-format", "json")
    assert shell.start(*words, streams={stream: gone}).wait() == 3  # this id is none of the sandbox's
    assert [row["status"] for row in shell.rows("out/results.csv")] == ["not_found"]


def test_a_plan_whose_reader_goes_away_ends_with_74_and_a_sentence(shell: Shell, source: Path) -> None:
    """In a Python of its own: what it flushes when it ends meets the same pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, "plan", source], stdout=writer, stderr=subprocess.PIPE, check=False,
            cwd=shell.folder, env=shell.environ, timeout=60,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.returncode == 74
    assert done.stderr == b"bulk-cancel: stdout cannot be written: its reader is gone.\n"


@ONLY_LINUX
@pytest.mark.parametrize(
    "words",
    [
        ["plan", "in.csv"],
        ["plan", "in.csv", "--json"],
        ["plan", "--help"],
        ["ledger", "export", "--ledger", "ledger.db"],
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_stdout_is_told_as_such(shell: Shell, source: Path, words: list[str]) -> None:
    shell.run(source, "--ledger", "ledger.db")
    process = shell.start(*words, streams={"stdout": "/dev/full"})
    assert process.wait() == 74
    assert process.stderr.read_text() == "bulk-cancel: stdout cannot be written: No space left on device.\n"


def test_a_header_that_a_terminal_would_obey_is_shown_harmless(shell: Shell, source: Path) -> None:
    source.write_text(source.read_text(encoding="utf-8").replace("id,", "Termin,", 1), encoding="utf-8")
    result = shell("plan", source)
    assert result.code == 65
    assert r'"x\x1b]0;title\x07\u202e"' in result.stderr
    assert result.stderr.replace("\n", "").isprintable()
