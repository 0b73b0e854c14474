"""The workflow of a forge: it does what `.ci/run` does, on the Pythons that are named, and may do nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".github" / "workflows" / "ci.yml"
WORKFLOW: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # `on` stays a word
COMMANDS = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in WORKFLOW["jobs"].items()}


def test_the_workflow_runs_for_every_change_and_may_only_read() -> None:
    assert {*WORKFLOW} == {"name", "on", "permissions", "jobs"}
    assert WORKFLOW["on"] == ["push", "pull_request"]
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "secrets." not in FILE.read_text(encoding="utf-8")
    for job in WORKFLOW["jobs"].values():
        assert {*job} <= {"runs-on", "timeout-minutes", "strategy", "steps"}
        assert int(job["timeout-minutes"]) <= 90
        assert all({*step} <= {"uses", "with", "run"} for step in job["steps"])
        assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)


def test_the_workflow_tests_the_oldest_and_the_newest_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [line.split(" :: ")[-1] for line in project["classifiers"] if " :: 3." in line]
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == [named[0], named[-1]]


def test_the_commands_of_the_workflow_exist() -> None:
    assert COMMANDS["test"] == ["make PYTHON=python${{ matrix.python }} .venv/ready", ".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    build, *runs = COMMANDS["image"]
    assert build.endswith("-f jobs/schedule/Containerfile .")
    (name,) = re.findall(r"-t (\S+)", build)
    assert all(f" {name} " in run for run in runs)
