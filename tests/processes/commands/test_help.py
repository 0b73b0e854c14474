"""The front of the command line: help that comes at once, completion, versions."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from bulk_cancel.cli.main import app
from support.shell import Shell

COMMANDS = set(app.commands)
HEAVY = {"anyio", "apsw", "bulk_cancel.settings.job", "filelock", "httpx", "jinja2", "polars", "structlog", "tenacity"}


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom bulk_cancel.cli.main import main\n"
        "sys.argv = ['bulk-cancel', '--help']\n"
        "try: main()\nexcept SystemExit: print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(re.findall(r"'([\w.]+)'", done.stderr))
    assert "Usage: bulk-cancel" in done.stdout
    for name in COMMANDS:
        assert f" {name} " in done.stdout


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
