"""The built wheel in a fresh environment, without an index: one command to the demo's end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from processes.installed.conftest import UV

KEPT = ("PATH", "LANG", "SSL_CERT_FILE")


@pytest.fixture
def fresh(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has nothing of this program, nor a network beyond loopback."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    nowhere = "http://127.0.0.1:9"
    return {**kept, "HOME": str(tmp_path), "HTTPS_PROXY": nowhere, "PIP_NO_INDEX": "1", "UV_NO_CONFIG": "1"}


def run(*command: str | Path, environ: dict[str, str], timeout: float = 100) -> str:
    done = subprocess.run(command, cwd=environ["HOME"], env=environ, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_uvx_runs_the_demo_to_its_end(wheel: Path, wheels: Path, fresh: dict[str, str]) -> None:
    where = ("--offline", "--no-index", "--find-links", wheels, "--python", sys.executable)
    uvx = (UV, "tool", "run", *where, "--from", wheel)
    told = run(*uvx, "bulk-cancel", "demo", environ=fresh)
    assert "50 cancellations: 47 that were sent, and 3 that a series took along; 0 of them twice." in told
    assert (Path(fresh["HOME"]) / ".demo" / "first" / "report.html").exists()


@pytest.mark.long
def test_pipx_runs_the_demo_to_its_end(wheel: Path, wheels: Path, fresh: dict[str, str]) -> None:
    """It installs with uv where there is one, else with pip: here with uv."""
    environ = {**fresh, "UV_OFFLINE": "1", "UV_FIND_LINKS": str(wheels), "PIPX_DEFAULT_PYTHON": sys.executable}
    pipx = (sys.executable, "-m", "pipx", "run", "--spec", wheel)
    assert "a series took along; 0 of them twice." in run(*pipx, "bulk-cancel", "demo", environ=environ)


@pytest.mark.long
def test_a_fresh_environment_of_pip_runs_the_demo_and_has_the_pages(
    wheel: Path, wheels: Path, fresh: dict[str, str]
) -> None:
    """Slow: pip compiles what it installs."""
    home = Path(fresh["HOME"])
    run(sys.executable, "-m", "venv", home / "env", environ=fresh)
    run(home / "env/bin/pip", "install", "--find-links", wheels, wheel, environ=fresh, timeout=300)
    program = home / "env/bin/bulk-cancel"
    assert "0 of them twice" in run(program, "demo", environ=fresh)
    listed = run(program, "docs", environ=fresh)
    (folder,) = (home / "env").glob("lib/*/site-packages/bulk_cancel/shipped")
    assert str(folder) in listed
    assert "jobs/schedule/crontab" in listed
    assert run(program, "docs", "runbook", environ=fresh).startswith("# Runbook")
