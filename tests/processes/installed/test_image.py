"""The image, where a builder and its base can be had: built, read-only, without rights, stopped and gone on with."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bulk_cancel.errors import Exit
from bulk_cancel.sandbox.credentials import OWNER_TOKEN

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[3]
STATE = "/var/lib/bulk-cancel"
SETTINGS = ["--rate", "10/s", "--burst", "5", "--settle", "1s", "--yes", "--json", "--out", f"{STATE}/out"]


@dataclass
class Engine:
    """podman or docker, an image of this checkout, and the containers of a test."""

    program: str
    image: str
    made: list[str] = field(default_factory=list)

    def call(self, *words: str, check: bool = True, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([self.program, *words], cwd=ROOT, capture_output=True, text=True, timeout=seconds)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def build(self, file: Path, context: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        words = ["--format", "docker"] if self.program == "podman" else []  # else podman leaves the HEALTHCHECK out
        return self.call("build", *words, "-t", self.image, "-f", str(file), str(context), check=check, seconds=900)

    def run(self, *words: str, options: tuple[str, ...] = (), check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end: as everybody should, with nothing that can be written but /tmp and the volume."""
        return self.call("run", "--rm", "--read-only", "--tmpfs", "/tmp", *options, self.image, *words, check=check)

    def start(self, *words: str, options: tuple[str, ...] = ()) -> str:
        """Start a command in the background; return its container."""
        name = f"bulk-cancel-test-{secrets.token_hex(4)}"
        self.made.append(name)
        self.call("run", "--detach", "--name", name, "--read-only", "--tmpfs", "/tmp", *options, self.image, *words)
        return name

    def wait_for(self, container: str, text: str) -> None:
        until = time.monotonic() + 30
        while text not in (told := self.logs(container)):
            assert time.monotonic() < until, told
            time.sleep(0.1)

    def logs(self, container: str) -> str:
        done = self.call("logs", container)
        return done.stdout + done.stderr

    def stop(self, container: str) -> int:
        """Send SIGTERM; return the exit code."""
        self.call("stop", "--time", "30", container)
        return int(self.call("inspect", "--format", "{{.State.ExitCode}}", container).stdout)


def _builder() -> str:
    for program in ("podman", "docker"):
        if shutil.which(program) and subprocess.run([program, "info"], capture_output=True).returncode == 0:
            return program
    pytest.skip("there is neither podman nor docker with its daemon; the Containerfile is linted only")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(_builder(), f"bulk-cancel-test:{secrets.token_hex(4)}")
    _skip_where_nothing_can_be_built(engine, tmp_path_factory.mktemp("probe"))
    try:
        engine.build(ROOT / "jobs" / "schedule" / "Containerfile", ROOT)
        yield engine
    finally:
        engine.call("rmi", "--force", engine.image, check=False)


def _skip_where_nothing_can_be_built(engine: Engine, folder: Path) -> None:
    """Build and start what does nothing, on the same base."""
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", (ROOT / "jobs/schedule/Containerfile").read_text("utf-8"), re.MULTILINE)
    (folder / "Containerfile").write_text(f"FROM {base}\nRUN true\n", encoding="utf-8")
    done = engine.build(folder / "Containerfile", folder, check=False)
    if not done.returncode:
        done = engine.run("true", check=False)
    if done.returncode:
        pytest.skip(f"{engine.program} builds and starts nothing here: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def engine(built: Engine) -> Iterator[Engine]:
    try:
        yield built
    finally:
        for name in built.made:
            built.call("rm", "--force", "--volumes", name, check=False)
        built.made.clear()


def test_the_demo_comes_to_its_end_without_a_network(engine: Engine) -> None:
    told = engine.run("demo", options=("--network", "none")).stderr
    assert "a series took along; 0 of them twice." in told


def test_nobody_in_it_has_rights_and_nothing_can_be_written_but_the_volume(engine: Engine) -> None:
    asked = f"id -u; id -g; touch /x {STATE}/y /opt/bulk-cancel/z; ls {STATE}; stat -c %a {STATE}"
    told = engine.run("-c", asked, options=("--entrypoint", "sh")).stdout.split()
    assert told == ["10001", "10001", "y", "700"]


def test_a_worker_that_shows_no_sign_of_life_is_unwell(engine: Engine) -> None:
    container = engine.start("sandbox")
    test = engine.call("inspect", "--format", "{{json .Config.Healthcheck.Test}}", container).stdout
    how, *words = json.loads(test)
    assert how == "CMD"
    assert engine.call("exec", container, *words, check=False).returncode == 0
    sign = f"{STATE}/bulk-cancel/worker.alive"
    engine.call("exec", container, "sh", "-c", f"mkdir {STATE}/bulk-cancel; touch -d '10 minutes ago' {sign}")
    assert engine.call("exec", container, *words, check=False).returncode == 1
    engine.call("exec", container, "touch", sign)
    assert engine.call("exec", container, *words, check=False).returncode == 0


def test_a_rehearsal_is_stopped_by_sigterm_and_gone_on_with(engine: Engine, tmp_path: Path) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(60)]
    (tmp_path / "input.csv").write_text("\n".join(["appointment_id", *ids, ""]), encoding="utf-8")
    tmp_path.chmod(0o755)
    given = ("--volume", f"{tmp_path}:/in:ro")
    sandbox = engine.start("sandbox", "--port", "8080", "--seed", "/in/input.csv", options=(*given, "--network=none"))
    engine.wait_for(sandbox, "MEETERGO_TOKEN")
    volume = f"bulk-cancel-test-{secrets.token_hex(4)}"
    options = (
        *given, "--network", f"container:{sandbox}", "--volume", f"{volume}:{STATE}",
        "--env", "MEETERGO_API_URL=http://127.0.0.1:8080/v4", "--env", f"MEETERGO_TOKEN={OWNER_TOKEN}",
    )  # fmt: skip
    try:
        container = engine.start("run", "/in/input.csv", *SETTINGS, options=options)
        engine.wait_for(container, "run.started")
        assert engine.stop(container) == Exit.STOPPED, engine.logs(container)
        first = json.loads(engine.call("logs", container).stdout)
        assert first["counts"]["pending"] > 0
        second = json.loads(engine.run("run", "/in/input.csv", *SETTINGS, options=options).stdout)
        assert second["counts"]["cancelled"] == 60
        assert first["requests"]["posts"] + second["requests"]["posts"] == 60
    finally:
        engine.call("rm", "--force", container, check=False)
        engine.call("volume", "rm", "--force", volume, check=False)
