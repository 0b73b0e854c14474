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
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

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


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Forks processes that have imported the whole program already; one serves all workers of the test run.

    It lives as long as somebody has its pipe open for writing.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with ExitStack() as stack:
        with FileLock(shared / "zygote.lock"):
            address = _joined(shared / "zygote", stack) or _started(shared / "zygote", stack)
        yield Zygote(address)


def _joined(link: Path, stack: ExitStack) -> str | None:
    """Keep the zygote alive that another worker started; None when there is none."""
    try:
        pipe = os.open(link / "pipe", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None
    stack.callback(os.close, pipe)
    return str(link.resolve() / "socket")


def _started(link: Path, stack: ExitStack) -> str:
    """Start a zygote, in a folder with a short name: that of a socket has a limit."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    os.mkfifo(folder / "pipe")
    reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(folder / "pipe", os.O_WRONLY)
    paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(TESTS))))
    command = [sys.executable, "-m", "support.zygote", str(folder / "socket")]
    process = stack.enter_context(
        subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": paths}, stdin=reader, stdout=subprocess.PIPE, text=True
        )
    )
    stack.callback(os.close, writer)
    os.close(reader)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    return str(folder / "socket")
