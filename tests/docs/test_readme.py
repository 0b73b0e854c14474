"""The README says what the program does, or the build fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_cancel.cli.options import JOB_OPTIONS
from bulk_cancel.core.model import Status
from bulk_cancel.errors import Exit
from support.shell_types import Shell

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settled(text: str) -> list[str]:
    """What of a transcript does not depend on the moment: no log lines, durations or trailing blanks."""
    lines = [line.rstrip() for line in text.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)]
    return [re.sub(r"\b\d+ s\b", "N s", line) for line in lines if line]


def test_the_transcript_of_the_demo_is_what_it_prints(shell: Shell) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bulk_cancel", "demo"],
        cwd=shell.folder, env={**shell.environ, "COLUMNS": "100"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (written,) = re.findall(r"<!-- demo:.*?-->\n```text\n(.*?)\n```", README, re.DOTALL)
    assert settled(written) == settled(done.stderr)


def test_the_table_of_exit_codes_is_the_enum() -> None:
    section = README.split("### Exit codes")[1].split("###")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == sorted(Exit)


def test_every_exit_code_has_a_test() -> None:
    tests = (ROOT / "tests/processes/commands/test_exit_codes.py").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"def test_(\d+)_", tests)} == set(Exit)


def test_every_status_and_option_is_explained() -> None:
    for status in Status:
        assert f"| `{status.value}` |" in README
    for option in JOB_OPTIONS:
        name = option.flags[-1].split("/")[0]
        assert f"`{name}`" in README, name


def test_every_sample_is_named_somewhere() -> None:
    texts = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "jobs").glob("*.toml"))
    texts += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for sample in (ROOT / "sample_inputs").rglob("*"):
        if sample.is_file():
            assert sample.name in texts, sample.name


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
