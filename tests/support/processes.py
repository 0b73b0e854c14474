"""Starting, waiting for and killing processes through the zygote."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]
LONGEST_S = 60.0
#: What of its environment a test hands on to its processes, beside what it tells them.
KEPT = ("PATH", "PYTHONPATH", "LANG", "TZ", "SSL_CERT_FILE")


@dataclass
class Process:
    """One running `bulk-cancel`, known by its real process id."""

    pid: int
    channel: Any
    stdout: Path
    stderr: Path
    out: Path
    _code: int | None = field(default=None, init=False)

    def wait(self, seconds: float = LONGEST_S) -> int:
        """Return the code it ended with (negative: the signal); TimeoutError when it does not end."""
        if self._code is None:
            self.channel.settimeout(seconds)
            self._code = int(_line(self.channel))
            self.channel.close()
        return self._code

    @property
    def ended(self) -> bool:
        """Whether it has come to its end by now."""
        return self._code is not None or bool(select.select([self.channel], [], [], 0)[0])

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> int:
        """kill -9, and wait until it is gone; a dead one stays dead."""
        if not self.ended:
            with suppress(ProcessLookupError):
                self.send(signal.SIGKILL)
        return self.wait()


@dataclass(frozen=True, slots=True)
class Zygote:
    """The process that forks all others."""

    address: str

    def start(self, request: Mapping[str, Any], out: Path) -> Process:
        """Fork a process; return as soon as it has an id."""
        channel = socket.socket(socket.AF_UNIX)
        channel.connect(self.address)
        channel.sendall(json.dumps(request).encode() + b"\n")
        pid = int(_line(channel))
        return Process(pid, channel, Path(request["stdout"]), Path(request["stderr"]), out)


def _line(channel: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n"):
        byte = channel.recv(1)
        if not byte:
            raise ConnectionError("the zygote is gone")
        text += byte
    return text.decode()


@contextmanager
def serving_processes(folder: Path) -> Iterator[Zygote]:
    """Run a zygote while the block runs."""
    address = str(folder / "zygote")
    paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(TESTS))))
    environ = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "support.zygote", address]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Zygote(address)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Forks processes that have imported the whole program already."""
    with tempfile.TemporaryDirectory() as folder, serving_processes(Path(folder)) as zygote:
        yield zygote
