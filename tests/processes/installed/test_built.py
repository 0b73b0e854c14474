"""What would be published: what is in it, what is not, and what an index page would show of it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

SHIPPED = ("README.md", "docs/runbook.md", "docs/guides/nightly.md", "jobs/nightly.toml", "jobs/schedule/crontab")
NO_MATTER_OF_A_USER = re.compile(
    r"(^|/)(tests|\.ci|\.github|\.venv|\.demo|__pycache__|\.\w+_cache|secrets|results)/|\.pyc$"
)


@pytest.fixture(scope="module")
def in_wheel(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as file:
        return file.namelist()


@pytest.fixture(scope="module")
def in_source(built: Path) -> list[str]:
    with tarfile.open(next(built.glob("*.tar.gz"))) as file:
        return [name.partition("/")[2] for name in file.getnames()]


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(file.read(name))


def test_the_package_index_accepts_both_files(built: Path) -> None:
    files = [path for path in built.iterdir() if path.suffix in {".whl", ".gz"}]
    assert len(files) == 2
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_brings_the_pages_and_the_jobs(in_wheel: list[str]) -> None:
    assert {f"bulk_cancel/shipped/{name}" for name in SHIPPED} <= {*in_wheel}
    assert {"bulk_cancel/ledger/sql/sqlite.sql", "bulk_cancel/py.typed"} <= {*in_wheel}


def test_the_source_distribution_can_be_built_and_installed_as_the_checkout(in_source: list[str]) -> None:
    assert {*SHIPPED, "pyproject.toml", "requirements.lock", "LICENSE", "src/bulk_cancel/py.typed"} <= {*in_source}


@pytest.mark.parametrize("which", ["in_wheel", "in_source"])
def test_neither_package_has_files_that_users_do_not_need(which: str, request: pytest.FixtureRequest) -> None:
    assert not [name for name in request.getfixturevalue(which) if NO_MATTER_OF_A_USER.search(name)]


def test_a_secret_beside_compose_is_not_packed(built: Path) -> None:
    """`compose.yaml` has its secrets in a folder beside it, in the folder that is packed."""
    ignored = (Path(__file__).parents[3] / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/jobs/schedule/secrets/", "/jobs/schedule/results/"} <= {*ignored}


def test_no_link_of_the_index_page_leads_nowhere(metadata: Message) -> None:
    text = str(metadata.get_payload())
    assert "bulk-cancel docs" in text
    assert not re.findall(r"\]\((?!https?://)[^)]*\)", text)
    assert re.findall(r"\]\(https?://[^)]*\)", text)


def test_the_classifiers_name_every_python_that_it_may_be_installed_with(metadata: Message) -> None:
    named = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier", []) if " :: 3." in line]
    assert metadata["Requires-Python"] == f">={named[0]}"
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    assert metadata["Author"]


def test_the_package_names_no_home_page(metadata: Message) -> None:
    """The project has none of its own: an index page sends nobody anywhere, and says how its pages are read."""
    assert not metadata.get_all("Project-URL")
    assert not metadata["Home-page"]


def test_the_demo_needs_no_extra_and_the_old_extra_still_exists(metadata: Message) -> None:
    assert "sandbox" in metadata.get_all("Provides-Extra", [])
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {"starlette", "uvicorn"} <= {re.split(r"[<>=; ]", line)[0] for line in needed}


@pytest.mark.parametrize("name", ["click", "dbos", "httptools", "httpx", "polars"])
def test_a_library_whose_inside_is_relied_on_has_an_upper_bound(name: str, metadata: Message) -> None:
    (line,) = (line for line in metadata.get_all("Requires-Dist", []) if re.split(r"[<>=; ]", line)[0] == name)
    assert "<" in line
