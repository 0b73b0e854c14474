"""What would be published, built once, and wheels of all that it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.wheels import write_wheels

ROOT = Path(__file__).resolve().parents[3]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and with the wheel that was built of it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [UV, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, ROOT]
    subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of everything that the program needs without its extras."""
    folder = tmp_path_factory.mktemp("wheels")
    write_wheels("bulk-cancel", folder)
    return folder
