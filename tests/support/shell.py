"""A sandbox, and the command line as a user has it: a process of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions, running
from support.processes import Process, Zygote

#: Fast enough not to wait, slow enough to be a limit.
QUICK_PLAN = ("--rate", "500/s", "--burst", "500", "--timeout", "2s")
QUICK = (*QUICK_PLAN, "--settle", "1s")


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


@dataclass(frozen=True)
class Shell:
    """Runs bulk-cancel in a folder of its own, with an environment of its own."""

    folder: Path
    environ: dict[str, str]
    zygote: Zygote

    def __call__(self, *words: str | Path, stdin: str | None = None, **environ: str) -> Result:
        """Run a command to its end, in a process forked from one that has imported everything already."""
        if _for_python(environ):
            return self.start_anew(*words, stdin=stdin, **environ)
        return ended(self.start(*words, stdin=stdin, **environ))

    def start(
        self, *words: str | Path, stdin: str | None = None, streams: Mapping[str, str] | None = None, **environ: str
    ) -> Process:
        """Start a command; its streams are files, or those that are named."""
        folder = Path(tempfile.mkdtemp(prefix="streams-", dir=self.folder.parent))
        (folder / "stdin").write_text(stdin or "", encoding="utf-8")
        files = {name: str(folder / name) for name in ("stdin", "stdout", "stderr")} | dict(streams or {})
        told = {"environ": {**self.environ, **environ}, "words": [*map(str, words)], "folder": str(self.folder)}
        return self.zygote.start({**files, **told}, self.folder)

    def start_anew(self, *words: str | Path, stdin: str | None = None, **environ: str) -> Result:
        """Run a command to its end in a Python of its own, as a user does."""
        done = subprocess.run(
            [sys.executable, "-m", "bulk_cancel", *map(str, words)],
            cwd=self.folder,
            env={**self.environ, **environ},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def run(self, source: str | Path, *words: str, stdin: str | None = None) -> Result:
        """Run a job to its end without being asked."""
        return self("run", source, "--yes", "--json", *QUICK, *words, stdin=stdin)

    def rows(self, name: str) -> list[dict[str, str]]:
        """Read a CSV file of the folder."""
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def ended(process: Process) -> Result:
    """Wait for a command's end."""
    code = process.wait()
    return Result(code, process.stdout.read_text(encoding="utf-8"), process.stderr.read_text(encoding="utf-8"))


def _for_python(environ: Mapping[str, str]) -> bool:
    """Whether something in here is looked at only when Python or a library begins."""
    return any(name.startswith(("PYTHON", "POLARS", "LC_", "LANG", "SSL_")) for name in environ)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with running(SandboxOptions(rate_per_s=10_000, burst=10_000)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset(SandboxOptions(rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    return server


@pytest.fixture
def shell(tmp_path: Path, sandbox: Sandbox, zygote: Zygote) -> Shell:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MEETERGO", "BULK_CANCEL", "XDG"))
    }
    home = tmp_path / "home"
    home.mkdir()
    told = {"HOME": str(home), "MEETERGO_API_URL": sandbox.url, "MEETERGO_TOKEN": OWNER_TOKEN, "COLUMNS": "120"}
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder, {**kept, **told}, zygote)


@pytest.fixture
def write(shell: Shell) -> Callable[..., Path]:
    def write(name: str, text: str) -> Path:
        path = shell.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
