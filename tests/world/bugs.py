"""Plays the world against copies of the program that are broken on purpose: `python -m world.bugs [WORD …]`.

Of the bugs of `support.seeded_bugs` those count that live above the world's seams: below are the wire, the input's
formats, the command line, the locks between processes, fsync, and PostgreSQL.

`caught.json` names for each bug a plain seed whose history shows it. A change of the world gives seeds other histories:
then `--search` plays seed after seed for the bugs that are missed, which takes hours, and writes down what it finds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.seeded_bugs import BUGS, ROOT, Bug, break_copy, copy_of_source

#: Histories that a bug has to be caught within.
MOST_HISTORIES = 10_000
_CAUGHT = Path(__file__).with_name("caught.json")
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
    "a short settle time is taken for any API": "a check of settings",
    "a lost outcome is told to nobody": "on stderr, for people",
    "an age in PostgreSQL is told by the clock of the process that asks": (
        "each chunk and each command takes that clock from the database anew; one that stands still in a suspension "
        "only makes ages shorter, which is waited out; a database's clock that is set is not played"
    ),
    "a worker does not lock its credential": "no other command on a worker's machine uses its key",
    "a worker does not know what others used of a limit": "no other command on a worker's machine uses its key",
    "a worker leaves out the settings that it does not know": "all workers of a history are of one version",
    "nobody is told that no worker takes a run": "the world's operator watches a run in place of the command",
    "a database lost while a run is handed out promises that nothing was cancelled": "a sentence for people",
    "an address binds the ledger before it answers": "one API only",
    "the API that answers binds no ledger": "one API only",
    "a credential is known by its looks alone": "the line removes what an API repeats of it, and the line is played",
    "a pause of years is kept": "the line reads the header, and the line is played",
    "the law lets a target be sent twice": "a second defence, which nothing reaches without another bug",
    "the SQL does not guard the state": "a second defence, which nothing reaches without another bug",
    "a page is read however late its rows can leave": "it costs requests, and what is old is read again",
    "pages go by their number": "rows that no page shows are sent unread, as --look auto allows",
    "nobody is told that a cache answers in place of the API": "a sentence for people",
    "a plan that has expired is to be run again": "a sentence for people",
    "a rerun forgets with which options it was typed": "a sentence for people",
    "what to type for a corrected file is relative to the run's folder": "a sentence for people",
    "a halt that stopped nothing is told": "a sentence for people",
    "a correction file loses what a mapped column asked": "a file for people",
    "a rebooking list that is removed is not made again": "a file for people",
    "a ledger below its mark is taken": "it is refused all the same, by the digest; only the sentence differs",
    "another schema in the place of one with a history is taken": "the world's database is never another one",
    "what one run keeps of its input is taken for another one's": "a file for people",
    "the results of another input are replaced": "a file for people",
    "two runs at once write into one folder of results": "a lock between processes",
    "a new ledger is closed without a look at its checkpoint": "no disk is full while the world's ledger is made",
    "a rollback that SQLite has made already hides the disk's error": "it makes one while the world's ledger is made",
    "a mark loses what another process sent without an answer": "several write to PostgreSQL's, which is played",
    "a run takes the folder of results that another ledger's run has": "the world's operator names the folder",
    "statuses are written beside rows that name other appointments": "a file for people",
}


def above(bug: Bug) -> bool:
    """Whether histories can show a bug."""
    return not bug.file.startswith(BELOW) and bug.name not in EXCEPT


def main(words: Sequence[str]) -> int:
    """Show how many bugs the world catches; with words, only those whose names contain one of them."""
    searches, words = "--search" in words, [word for word in words if word != "--search"]
    bugs = [bug for bug in BUGS if above(bug) and (not words or any(word in bug.name for word in words))]
    seeds: dict[str, int] = json.loads(_CAUGHT.read_text())
    if told := _broken(ROOT, {str(seeds[bug.name]) for bug in bugs if bug.name in seeds}):
        print(f"The program as it is breaks a rule, so nothing can be shown: {told}")
        return 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda bug: _shown_by(bug, seeds.get(bug.name), searches=searches), bugs))
    if searches:
        seeds |= {bug.name: seed for bug, seed in zip(bugs, found, strict=True) if seed}
        _CAUGHT.write_text(json.dumps(seeds, indent=1, sort_keys=True) + "\n")
    caught = sum(seed > 0 for seed in found)
    print(f"{caught} of {len(bugs)} seeded bugs above the seams caught within {MOST_HISTORIES:,} histories.")
    return 0 if caught * 10 >= len(bugs) * 9 else 1


def _shown_by(bug: Bug, known: int | None, *, searches: bool) -> int:
    """Return the seed that shows a bug; 0 when none does."""
    began, told = time.monotonic(), ""
    with tempfile.TemporaryDirectory(prefix="world-bugs-") as folder:
        copy = break_copy(copy_of_source(Path(folder) / "copy"), bug)
        if known:
            told = _broken(copy, [str(known)])
        if not told and searches:
            told = _broken(copy, [f"1..{MOST_HISTORIES}"])
    seed = re.search(r"\(seed (\d+)", told)
    mark = "caught" if seed else "MISSED"
    print(f"{mark}  {bug.name:<66} {told[:150]}  ({time.monotonic() - began:.0f} s)", flush=True)
    return int(seed[1]) if seed else 0


def _broken(copy: Path, seeds: Collection[str]) -> str:
    """Return which rule the program in a copy breaks with one of the seeds; empty when none."""
    environ = {
        **os.environ,
        "PYTHONPATH": f"{copy / 'src'}{os.pathsep}{ROOT / 'tests'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "world.first", *seeds], env=environ, cwd=ROOT, capture_output=True, text=True
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1] if done.returncode else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
