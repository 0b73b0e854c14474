"""Plays the world against copies of the program that are broken on purpose: `python -m world.bugs [WORD …]`.

Of the bugs of `support.seeded_bugs` those count that live above the world's seams: below are the wire, the input's
formats, the command line, the locks between processes, fsync, and PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.seeded_bugs import BUGS, ROOT, Bug, break_copy, copy_of_source

#: Histories that a bug has to be caught within.
MOST_HISTORIES = 10_000
#: Files whose bugs no history can show: what they do is below the seams, or for people's eyes.
BELOW = (
    "api/",
    "inputs/",
    "cli/",
    "ops/",
    "settings/",
    "ledger/postgres/",
    "ledger/sqlite/open.py",
    "ledger/sql/postgres.sql",
    "ledger/altered.py",
    "plan_files/",
)
#: Bugs in files above whose fault is below all the same, and why.
EXCEPT = {
    "a 500 is no lost answer": "it stays an answer without proof: only the count of answers of strangers differs",
    "a 409 counts as a refusal": "it stays an answer without proof: only the count of answers of strangers differs",
    "a refusal is asked again within the settle time": "judged by the command's own test",
    "a short settle time is taken for any API": "a check of settings",
    "a lost outcome is told to nobody": "on stderr, for people",
    "a worker does not lock its credential": "workers",
    "a worker does not know what others used of a limit": "workers",
    "closing copies the WAL into a file that took the ledger's place": "files change between runs only, so far",
    "a ledger that was replaced is not noticed": "files change between runs only, so far",
    "a ledger that is written over in place is not noticed": "files change between runs only, so far",
    "an address binds the ledger before it answers": "one API only",
    "the API that answers binds no ledger": "one API only",
}


def above(bug: Bug) -> bool:
    """Whether histories can show a bug."""
    return not bug.file.startswith(BELOW) and bug.name not in EXCEPT


def main(words: Sequence[str]) -> int:
    """Show how many bugs the world catches; with words, only those whose names contain one of them."""
    most = int(os.environ.get("WORLD_HISTORIES", MOST_HISTORIES))
    bugs = [bug for bug in BUGS if above(bug) and (not words or any(word in bug.name for word in words))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        caught = sum(pool.map(lambda bug: _is_caught(bug, most), bugs))
    print(f"{caught} of {len(bugs)} seeded bugs above the seams caught within {most:,} histories.")
    return 0 if caught * 10 >= len(bugs) * 9 else 1


def _is_caught(bug: Bug, most: int) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="world-bugs-") as folder:
        copy = break_copy(copy_of_source(Path(folder) / "copy"), bug)
        environ = {
            **os.environ,
            "PYTHONPATH": f"{copy / 'src'}{os.pathsep}{ROOT / 'tests'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "world.first", str(most)]
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True)
        shutil.rmtree(copy)
    found = done.stdout.strip().splitlines()[-1:] if done.returncode == 1 else []
    mark = "caught" if found else "MISSED"
    told = done.stderr.strip().splitlines()
    about = found[0] if found else told[-1] if done.returncode and told else "nothing was broken"
    print(f"{mark}  {bug.name:<66} {about[:150]}  ({time.monotonic() - began:.0f} s)", flush=True)
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
