"""A laboratory for one ledger: a sandbox, an input, and processes that are run, killed and run again over them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.options import SandboxOptions
from bulk_cancel.sandbox.server import Sandbox, running
from support.checker import Crash, Ended, Evidence, check, posts_by_appointment
from support.processes import KEPT, LONGEST_S, Process, Zygote
from support.worlds import single

#: A cancelled appointment is cancelled, and mailed about, again: the server that forgives nothing.
HOSTILE = SandboxOptions(rate_per_s=400, burst=2000, second_cancel="mail_again", seed=7)
#: What a killed process has written to a socket may reach the server's loop a little later.
STRAGGLERS_S = 0.05


@dataclass
class Lab:
    """One ledger, one input, one sandbox; everything is written below `folder`."""

    folder: Path
    zygote: Zygote
    sandbox: Sandbox
    settings: dict[str, str] = field(default_factory=dict)
    token: str = OWNER_TOKEN
    runs: list[Ended] = field(default_factory=list)
    crashes: list[Crash] = field(default_factory=list)
    elsewhere: frozenset[str] = frozenset()
    name: str = "ledger.db"

    def __post_init__(self) -> None:
        options = self.sandbox.options
        self.settings = {
            "rate": f"{options.rate_per_s:g}/s",
            "burst": str(options.burst),
            "concurrency": "3",
            "timeout": "1s",
            "settle": "1s",
            **self.settings,
        }
        self._started = 0
        self.input.parent.mkdir(parents=True, exist_ok=True)
        self.write_input(list(self.sandbox.world.appointments))

    @property
    def input(self) -> Path:
        """The file of appointments."""
        return self.folder / "input.csv"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / self.name

    @property
    def state(self) -> Path:
        """The user's state folder, with the locks of credentials."""
        return self.folder / "state"

    def write_input(self, ids: list[str], header: str = "appointment_id") -> None:
        """Name these appointments, a row each."""
        self.input.write_text("\n".join([header, *ids, ""]), encoding="utf-8")

    def environ(self) -> dict[str, str]:
        """The environment of every process of this laboratory."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        home = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.state)}
        return {**kept, **home, "MEETERGO_API_URL": self.sandbox.url, "MEETERGO_TOKEN": self.token}

    def argv(self, out: Path, command: str = "run", **more: str) -> list[str]:
        """A command line: with --yes and --json, quick limits and a tiny settle time."""
        settings = {**self.settings, "ledger": str(self.ledger), "out": str(out), **more}
        flags = [word for name, value in settings.items() for word in _flag(name, value)]
        return [command, str(self.input), *flags, "--yes", "--json"]

    def start(
        self,
        points: Mapping[str, str] | None = None,
        *,
        noted: Path | None = None,
        wall_jump_s: float = 0.0,
        command: str = "run",
        **more: str,
    ) -> Process:
        """Start a run that meets `points`; further keywords are settings."""
        number = self._started = self._started + 1
        out = self.folder / f"out-{number}"
        request = {
            "argv": self.argv(out, command, **more),
            "environ": self.environ(),
            "folder": str(self.folder),
            "stdout": str(self.folder / f"stdout-{number}"),
            "stderr": str(self.folder / f"stderr-{number}"),
            "points": dict(points or {}),
            "noted": str(noted) if noted else None,
            "wall_jump_s": wall_jump_s,
        }
        return self.zygote.start(request, out)

    def finish(self, process: Process, seconds: float = LONGEST_S) -> Ended:
        """Wait for a process's end; one that died by a signal leaves a copy of the ledger as it was then."""
        code = process.wait(seconds)
        ended = Ended(code, process.stdout.read_text(), process.stderr.read_text(), process.out)
        self.runs.append(ended)
        if code < 0:
            self.keep_copy()
        return ended

    def run(self, points: Mapping[str, str] | None = None, **more: Any) -> Ended:
        """Start a run and wait for its end."""
        return self.finish(self.start(points, **more))

    def command(self, *words: str) -> Ended:
        """Run any command line to its end."""
        number = self._started = self._started + 1
        streams = {name: str(self.folder / f"{name}-{number}") for name in ("stdout", "stderr")}
        request = {**streams, "environ": self.environ(), "folder": str(self.folder), "words": words}
        process = self.zygote.start(request, self.folder)
        return Ended(process.wait(), process.stdout.read_text(), process.stderr.read_text(), process.out)

    def run_command(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command line in an interpreter of its own, as a user's shell would."""
        command = [sys.executable, "-m", "bulk_cancel", *words]
        return subprocess.run(command, env=self.environ(), cwd=self.folder, text=True, timeout=LONGEST_S, **more)

    def run_alone(self, **more: str) -> Ended:
        """A run in an interpreter of its own."""
        number = self._started = self._started + 1
        out = self.folder / f"out-{number}"
        done = self.run_command(*self.argv(out, **more), capture_output=True)
        ended = Ended(done.returncode, done.stdout, done.stderr, out)
        self.runs.append(ended)
        return ended

    def until_done(self, most: int = 6, **more: Any) -> Ended:
        """Run again and again until everything is final and good; fail when that takes more than a few runs."""
        for _ in range(most):
            if (ended := self.run(wait="", **more)).code == 0:
                return ended
        raise AssertionError(f"still exit code {ended.code} after {most} runs:\n{ended.stdout}\n{ended.stderr}")

    def keep_copy(self) -> None:
        """Copy the ledger as a dead process left it, with what had arrived by then."""
        time.sleep(STRAGGLERS_S)
        copy = self.folder / f"copy-{len(self.crashes)}" / self.name
        if not self.ledger.exists():
            return
        copy.parent.mkdir()
        for suffix in ("", "-wal"):
            if Path(f"{self.ledger}{suffix}").exists():
                shutil.copyfile(f"{self.ledger}{suffix}", f"{copy}{suffix}")
        self.crashes.append(Crash(copy, posts_by_appointment(self.sandbox.arrivals())))

    @property
    def posts(self) -> int:
        """How many cancels have arrived."""
        return posts_by_appointment(self.sandbox.arrivals()).total()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something is true; AssertionError when it does not become true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain"
            time.sleep(0.005)

    def check(self, **more: Any) -> None:
        """All invariants hold, once late cancels have taken effect."""
        self.wait_for(lambda: self.sandbox.truth().late == 0)
        check(replace(self.evidence(), **more))

    def evidence(self) -> Evidence:
        """What the runs so far left behind."""
        return Evidence(
            sandbox=self.sandbox,
            ledger=self.ledger,
            input=self.input,
            folder=self.folder,
            settle_s=float(self.settings["settle"].removesuffix("s")),
            runs=self.runs,
            crashes=self.crashes,
            tokens=(self.token,),
            elsewhere=self.elsewhere,
        )

    def check_converges(self) -> None:
        """Run until all is done: everything cancelled once, all invariants hold, and another run sends nothing."""
        self.until_done()
        posts = self.posts
        assert self.run().code == 0
        assert self.posts == posts
        assert dict(self.sandbox.truth().applied) == dict.fromkeys(self.sandbox.world.appointments, 1)
        self.check()


def _flag(name: str, value: str) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    return [flag, value] if value else [flag]


@contextmanager
def laboratory(
    folder: Path, zygote: Zygote, options: SandboxOptions = HOSTILE, *, count: int = 6, **settings: str
) -> Iterator[Lab]:
    """A laboratory with `count` ordinary appointments, unless the options bring a world."""
    if options.world is None:
        options = replace(options, world=single(made_ids(count), options.seed))
    with running(options) as sandbox:
        yield Lab(folder, zygote, sandbox, settings)


def made_ids(count: int) -> list[str]:
    """Ids of appointments, the same ones every time."""
    return [f"00000000-0000-4000-8000-{number:012x}" for number in range(1, count + 1)]


def told(ended: Ended) -> dict[str, Any]:
    """The one JSON document that a run printed."""
    document: dict[str, Any] = json.loads(ended.stdout)
    return document
