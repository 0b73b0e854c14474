"""The sandbox shares no code with what it tests, and only the server needs the extra."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bulk_cancel.sandbox

PACKAGE = Path(bulk_cancel.sandbox.__file__).parent
MODULES = sorted(PACKAGE.glob("*.py"))
SERVING = {"faulty_answers", "app", "server"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_sandbox_imports_nothing_else_of_the_project(path):
    own = {name for name in imported(path) if name.startswith("bulk_cancel")}
    assert all(name.startswith("bulk_cancel.sandbox.") for name in own)


@pytest.mark.process
def test_the_sandbox_works_without_the_server_libraries():
    names = [f"bulk_cancel.sandbox.{path.stem}" for path in MODULES if path.stem not in SERVING | {"__init__"}]
    script = f"import sys, {', '.join(names)}; assert not {{'starlette', 'uvicorn'}} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", script], check=True)
