"""The layout's law: imports point inwards, every heavy library has one home, nothing grows too large."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "bulk_cancel"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Where a library may be imported. A folder stands for everything in it.
HOMES = {
    "httpx": ("api/http.py",),
    "httpcore": ("api",),
    "polars": ("inputs", "reports"),
    "obstore": ("inputs",),
    "xlsxwriter": ("reports",),
    "jinja2": ("reports/pages/rendering.py",),
    "markupsafe": ("reports/pages/rendering.py",),
    "apsw": ("ledger", "commands/doctor/machine.py"),
    "sqlite3": (),
    "psycopg": ("ledger/postgres",),
    "click": ("cli",),
    "rich": ("ops/progress.py",),
    "tenacity": ("engine", "cluster"),
    "filelock": ("ops/locks.py",),
    "platformdirs": ("access/places.py",),
    "pydantic": ("settings", "sandbox"),
    "starlette": ("sandbox",),
    "uvicorn": ("sandbox",),
    "apprise": ("ops/notify.py",),
    "prometheus_client": ("ops/metrics.py",),
    "dbos": ("cluster",),
}
#: From the ground up. A file imports from its own room or from a lower floor, and from nowhere else.
FLOORS = (
    ("errors", "version", "sandbox"),
    ("core",),
    ("ops",),
    ("settings", "ledger", "api", "plan_files"),
    ("engine", "reports", "inputs"),
    ("access",),
    ("planning", "execution"),
    ("cluster",),
    ("commands",),
    ("cli", "library"),
    ("__init__", "__main__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
#: Of the ledger and of the API these see the contract alone.
PORTS = {
    "engine": {"api.port", "ledger.port", "ledger.shared"},
    "reports": {"ledger.port"},
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "service", "base"}


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{_name(path)} has a relative import"
            yield node.module


def _is_at_home(path: Path, imported: str) -> bool:
    homes = HOMES.get(imported.split(".")[0])
    return homes is None or any(_name(path) == home or _name(path).startswith(f"{home}/") for home in homes)


def test_a_library_is_imported_in_its_home_only() -> None:
    strays = [(_name(path), name) for path in MODULES for name in _imports(path) if not _is_at_home(path, name)]
    assert strays == []


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _own_imports(path: Path) -> Iterator[str]:
    """Yield what a file imports of the project, without the package's name; of the package itself `__init__`."""
    for imported in _imports(path):
        if imported == "bulk_cancel":
            yield "__init__"
        elif imported.startswith("bulk_cancel."):
            yield imported.removeprefix("bulk_cancel.")


def _is_below(path: Path, imported: str) -> bool:
    room, other = _room(path), imported.split(".")[0]
    return other == room or FLOOR_OF[other] < FLOOR_OF[room]


def test_a_file_imports_from_its_own_room_or_from_a_lower_floor() -> None:
    strays = [(_name(path), name) for path in MODULES for name in _own_imports(path) if not _is_below(path, name)]
    assert strays == []


def test_the_root_of_the_package_has_only_errors_version_and_the_two_entry_points() -> None:
    loose = {path.name for path in MODULES if path.parent == PACKAGE}
    assert loose == {"errors.py", "version.py", "__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", PORTS)
def test_engine_and_reports_see_the_ledger_and_the_api_by_their_contracts_alone(room: str) -> None:
    for path in sorted((PACKAGE / room).rglob("*.py")):
        for imported in _own_imports(path):
            if imported.split(".")[0] in {"ledger", "api"}:
                assert imported in PORTS[room], f"{path.name} imports {imported}"


@pytest.mark.parametrize("name", ["api_url", "ledger_place", "load_accounts"])
def test_a_command_is_resolved_in_one_place(name: str) -> None:
    """Apart from `access/setup.py` the doctor alone resolves: it looks at each part by itself."""
    callers = {_name(path) for path in MODULES if _room(path) not in {"settings", "access"} and name in _names(path)}
    assert callers == {"commands/doctor/examine.py"}


def _names(path: Path) -> set[str]:
    """Return the names that a file imports."""
    return {alias.name for node in ast.walk(_tree(path)) if isinstance(node, ast.ImportFrom) for alias in node.names}


#: What a simulated world stands in for; `access/machine.py` alone takes it from the machine, on these floors.
OF_THE_MACHINE = {
    "system_clock",
    "state_folder",
    "anyio.run",
    "random.Random",
    "time.time",
    "time.monotonic",
    "datetime.now",
    "secrets.token_hex",
}
#: A job file is read before there is a machine to be given: only `today` in it asks the clock by itself.
RESOLVED = {"planning", "access", "execution", "reports", "commands", "plan_files", "inputs"}


def _called(path: Path) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)}


def test_time_chance_and_folders_come_from_the_machine_that_was_given() -> None:
    given = [path for path in MODULES if _room(path) in RESOLVED and _name(path) != "access/machine.py"]
    assert {_name(path): found for path in given if (found := _called(path) & OF_THE_MACHINE)} == {}


def test_the_core_touches_nothing_outside() -> None:
    outside = {"os", "pathlib", "time", "random", "socket", "asyncio", "anyio", "subprocess", "logging", "secrets"}
    for path in sorted((PACKAGE / "core").glob("*.py")):
        assert not outside & {name.split(".")[0] for name in _imports(path)}, path.name


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_nothing_grows_too_large() -> None:
    assert {_name(path) for path in MODULES if path.stem in FORBIDDEN_NAMES} == set()
    assert {_name(path) for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > 400} == set()
    long = [(_name(path), node.name) for path in MODULES for node in _functions(path) if _lines(node) > 40]
    assert long == []


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


@pytest.mark.process
def test_importing_the_package_does_nothing() -> None:
    import subprocess
    import sys

    code = "import sys, bulk_cancel; print(sorted(set(sys.modules) & {'httpx', 'polars', 'apsw', 'anyio', 'pydantic'}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.process
def test_a_ledger_in_sqlite_imports_no_driver_of_postgresql() -> None:
    import subprocess
    import sys

    code = "import sys, bulk_cancel.cli.main, bulk_cancel.commands.run, bulk_cancel.ledger.sqlite.ledger; "
    code += "print('psycopg' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_the_repository_root_has_only_known_files() -> None:
    agreed = {"pyproject.toml", "jobs", "src", "tests", "sample_inputs", "Makefile", "README.md", "LICENSE"}
    agreed |= {"CHANGELOG.md", "docs", "requirements.lock", "runs"}
    assert not {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - agreed
