"""Runs `bulk-cancel` in this process and does something to it at an enumerated point. Production code has no hooks.

The points are the seams of the program, wrapped from outside: the ledger's calls, the line's calls, each step of an
HTTP exchange as the transport announces it, and each write and sync of the ledger's files. A plan names points by
seam and number and says what happens there; the passing of every seam can be noted in a file, to enumerate them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import apsw

from bulk_cancel.api.client import HttpLine
from bulk_cancel.api.failures import Trace
from bulk_cancel.cli.main import main
from bulk_cancel.cli.run import run_command  # noqa: F401 - its imports are the expensive ones
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger

_LEDGER = ("begin_run", "stage", "start_run", "recover", "append", "end_run")
_LINE = ("cancel", "read", "page")


def play(request: Mapping[str, Any]) -> None:
    """Run the command line of a request, with its points."""
    points = Points(request.get("points", {}), request.get("noted"))
    for name in _LEDGER:
        setattr(SqliteLedger, name, around(points, name, getattr(SqliteLedger, name)))
    for name in _LINE:
        setattr(HttpLine, name, around_async(points, name, getattr(HttpLine, name)))
    Trace.__call__ = with_steps(points, Trace.__call__)  # type: ignore[method-assign]
    _set_clock(request.get("wall_jump_s", 0.0))
    vfs = Vfs(points)
    sys.argv = ["bulk-cancel", *request["argv"]]
    try:
        main()
    finally:
        del vfs


def _set_clock(jump_s: float) -> None:
    """A wall clock that somebody has set by so much; the monotonic clock goes on."""
    unchanged = time.time
    time.time = lambda: unchanged() + jump_s


class Points:
    """Counts how often each seam is passed, and acts where the plan says so."""

    def __init__(self, plan: Mapping[str, str], noted: str | None) -> None:
        self._plan = plan
        self._passed: Counter[str] = Counter()
        self._noted = os.open(noted, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if noted else None

    @property
    def planned(self) -> bool:
        """Whether anything is planned at all."""
        return bool(self._plan)

    def passed(self, seam: str) -> None:
        """Note a passing. `seam:3` in the plan acts at the third one, `seam:3+` from the third one on."""
        self._passed[seam] += 1
        if self._noted is not None:
            os.write(self._noted, f"{seam}:{self._passed[seam]}\n".encode())
        if what := self._planned(seam, self._passed[seam]):
            _act(what)

    def _planned(self, seam: str, number: int) -> str | None:
        if f"{seam}:{number}" in self._plan:
            return self._plan[f"{seam}:{number}"]
        return next((self._plan[f"{seam}:{n}+"] for n in range(1, number + 1) if f"{seam}:{n}+" in self._plan), None)


def _act(what: str) -> None:
    verb, _, about = what.partition(" ")
    match verb:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(float(about))
        case "bug":
            raise ZeroDivisionError("a seeded bug")
        case "full":
            raise apsw.FullError("database or disk is full")
        case "ioerr":
            raise apsw.IOError("disk I/O error")
        case "remove":
            Path(about).unlink()
        case "overwrite":
            file, _, older = about.partition(" ")
            Path(file).write_bytes(Path(older).read_bytes())
        case "exchange":
            shutil.copyfile(about, f"{about}.new")
            Path(f"{about}.new").replace(about)
        case _:
            raise ValueError(what)


def around(points: Points, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        points.passed(f"before {name}")
        result = call(*args, **kwargs)
        points.passed(f"after {name}")
        return result

    return wrapper


def around_async(points: Points, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        points.passed(f"before {name}")
        result = await call(*args, **kwargs)
        points.passed(f"after {name}")
        return result

    return wrapper


def with_steps(points: Points, call: Callable[..., Any]) -> Callable[..., Any]:
    """Each step of an exchange: `http send_request_body.complete` and the like."""

    async def wrapper(self: Trace, event: str, info: dict[str, Any]) -> None:
        points.passed(f"http {event.partition('.')[2]}")
        await call(self, event, info)

    return wrapper


class Vfs(apsw.VFS):
    """SQLite's file system with points at each write and sync. A write that dies leaves half of its bytes."""

    def __init__(self, points: Points) -> None:
        super().__init__("points", "unix", 1)
        self._points = points

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _File(self._points, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, points: Points, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        file = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._points, self._which = points, "wal" if str(file).endswith("-wal") else "database"

    def xWrite(self, data: bytes, offset: int) -> None:
        self._points.passed(f"before {self._which} write")
        if len(data) > 1:
            super().xWrite(data[: len(data) // 2], offset)
            self._points.passed(f"within {self._which} write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._points.passed(f"before {self._which} sync")
        super().xSync(flags)
        self._points.passed(f"after {self._which} sync")
