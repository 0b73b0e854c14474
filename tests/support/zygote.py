"""Starts `bulk-cancel` processes quickly: imports everything once, then forks a process for each request.

Importing takes seconds, a test has to start dozens of processes. Each is a process of its own with its own
environment, folder and output; only what Python does before `main()` is shared. A request is one line of JSON on a
Unix socket; the answer is the process's id and, when it has ended, its return code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

import anyio._backends._asyncio
import apprise
import httpcore

import bulk_cancel
from bulk_cancel.reports.pages import rendering
from support import cluster_driver, driver, own_home, patience
from support.signals import heed_signals

#: Imported by a run when it begins, and slow to import: here, so that they are there.
_WARM = (anyio, httpcore, cluster_driver)


def main(address: str) -> None:
    """Serve until stdin ends: then the last test process is gone."""
    own_home.guard()
    for module in pkgutil.walk_packages(bulk_cancel.__path__, "bulk_cancel."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    rendering._environment().get_template("page.html.j2")  # compiling it takes a third of a run of few rows
    patience.shorten()
    apprise.Apprise().add("json://localhost")  # reads all its services, which takes a second
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("ready", flush=True)
    while not select.select([listener, sys.stdin], [], [])[0].count(sys.stdin):
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _keep(connection)
        connection.close()


def _keep(connection: socket.socket) -> NoReturn:
    """Fork the process itself and wait for it: only a parent learns how a process ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection, connection.makefile("rw", encoding="utf-8") as channel:
        request = json.loads(channel.readline())
        if (pid := os.fork()) == 0:
            connection.detach()
            _become(request)
        channel.write(f"{pid}\n")
        channel.flush()
        _, status = os.waitpid(pid, 0)
        channel.write(f"{os.waitstatus_to_exitcode(status)}\n")
        channel.flush()
    os._exit(0)


def _become(request: dict[str, Any]) -> NoReturn:
    os.setsid()
    heed_signals()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    _redirect(0, Path(request.get("stdin", os.devnull)), os.O_RDONLY)
    _redirect(1, Path(request["stdout"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    _redirect(2, Path(request["stderr"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    code = 1
    try:
        _play(request)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _play(request: dict[str, Any]) -> None:
    """Run the command line: as it is, or with the points of the crash tests."""
    if "words" in request:
        sys.argv = ["bulk-cancel", *request["words"]]
        driver.main()
    else:
        importlib.import_module(request.get("driver", "support.driver")).play(request)


def _redirect(descriptor: int, path: Path, flags: int) -> None:
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, descriptor)
    os.close(opened)


if __name__ == "__main__":
    main(sys.argv[1])
