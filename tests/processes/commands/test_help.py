"""The front of the command line: help that comes at once, completion, versions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_cancel.cli.main import app
from support.plans import uuid
from support.shell import Shell

COMMANDS = set(app.commands)


def completed(stdout: str) -> set[str]:
    """Return the words that a shell is offered."""
    return {line.partition(",")[2] for line in stdout.split()}


def test_bash_gets_a_script_and_the_commands(shell: Shell) -> None:
    script = shell(_BULK_CANCEL_COMPLETE="bash_source")
    assert "complete -o nosort -F _bulk_cancel_completion bulk-cancel" in script.stdout
    asked = {"_BULK_CANCEL_COMPLETE": "bash_complete", "COMP_WORDS": "bulk-cancel ", "COMP_CWORD": "1"}
    assert completed(shell(**asked).stdout) >= COMMANDS
    asked = {**asked, "COMP_WORDS": "bulk-cancel run a.csv --max", "COMP_CWORD": "3"}
    assert completed(shell(**asked).stdout) == {"--max-attempts", "--max-cancel", "--max-duration", "--max-errors"}


@pytest.mark.parametrize("name", ["bulk-cancel", "Python", "httpx", "polars", "SQLite"])
def test_the_version_names_what_decides_anything(name: str, shell: Shell) -> None:
    result = shell("--version")
    assert result.code == 0
    assert re.search(rf"\b{name} \d+\.\d+", result.stdout)


#: What must not be imported, since it takes longer than what the command does.
NEVER = {"rich", "pygments", "typer", "pydantic_settings"}
OFFLINE = NEVER | {"asyncio", "bulk_cancel.cluster", "httpx", "jinja2", "structlog", "tenacity"}
HEAVY = OFFLINE | {"apsw", "filelock", "polars", "pydantic", "bulk_cancel.settings.job"}


@pytest.mark.parametrize(
    ("words", "without"),
    [
        ("--help", HEAVY),
        ("run --help", HEAVY),
        ("-h", HEAVY),
        ("plan a.csv --look never", OFFLINE),
        ("status", OFFLINE | {"polars"}),
    ],
)
def test_a_command_imports_nothing_heavy_that_it_does_not_need(words: str, without: set[str], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"id\n{uuid(1)}\n", encoding="utf-8")
    program = (
        "import sys\nfrom bulk_cancel.cli.main import main\n"
        f"sys.argv = ['bulk-cancel', *{words.split()!r}]\n"
        "try: main()\nexcept SystemExit: print(sorted(sys.modules), file=sys.stderr)"
    )
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MEETERGO_TOKEN": "rgo-x"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, env=environ
    )
    imported = set(re.findall(r"'([\w.]+)'", done.stderr))
    assert "bulk_cancel.cli.app" in imported
    assert without & imported == set()
    assert done.stdout or words == "status"
