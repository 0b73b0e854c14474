"""Kills a run at enumerated points, runs again until done, and checks the invariants: one laboratory for each point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from signal import SIGKILL

from support.lab import HOSTILE, Lab, laboratory, made_ids
from support.processes import Zygote
from support.worlds import single

#: Runs at the same time. They wait more than they work.
AT_ONCE = 4
IDS = made_ids(7)
#: An answer lost after its effect, one before it, one whose effect comes late, one refused by the limit, one cut.
FAULTS = f"lost-after@{IDS[1]},lost@{IDS[2]},late@{IDS[3]}:150ms,429@{IDS[4]},cut-after@{IDS[5]}"
#: At this point of the first run cancels are under way, so a kill leaves something behind to be recovered.
MIDDLE = "http send_request_body.complete:5"


@dataclass(frozen=True, slots=True)
class Stage:
    """Which run is killed: the first one, or one that recovers what runs killed at `before` left behind."""

    before: tuple[str, ...] = ()


FIRST_RUN = Stage()
RECOVERY = Stage((MIDDLE,))


@dataclass
class Sweeper:
    """Sweeps over points, each in a laboratory of its own below `folder`."""

    folder: Path
    zygote: Zygote
    kills: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def points(self, stage: Stage) -> list[str]:
        """Every point that an undisturbed run at this stage passes, in order."""
        noted = self.folder / f"noted-{next(self._numbers)}"
        with self._lab_at(stage) as lab:
            lab.run(noted=noted, wait="")
        return noted.read_text().splitlines()

    def failures(self, stage: Stage, points: Iterable[str]) -> list[str]:
        """Kill at each of the points; return what went wrong, by point."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [failure for failure in pool.map(lambda point: self._failure(stage, point), points) if failure]

    def _failure(self, stage: Stage, point: str) -> str:
        try:
            with self._lab_at(stage) as lab:
                lab.run({point: "kill"}, wait="")
                lab.check_converges()
                self.kills += sum(run.code == -SIGKILL for run in lab.runs)
        except Exception as error:
            return f"killed at '{point}': {type(error).__name__}: {error}"
        return ""

    @contextmanager
    def _lab_at(self, stage: Stage) -> Iterator[Lab]:
        options = replace(HOSTILE, faults=FAULTS, world=single(IDS, HOSTILE.seed))
        with laboratory(self.folder / f"lab-{next(self._numbers)}", self.zygote, options, settle="0.4s") as lab:
            for point in stage.before:
                lab.run({point: "kill"}, wait="")
            yield lab


def one_of_each(points: Iterable[str], seams: Collection[str]) -> list[str]:
    """The middle one of the passings of each seam."""
    passings = defaultdict(list)
    for point in points:
        passings[point.rpartition(":")[0]].append(point)
    return [passings[seam][len(passings[seam]) // 2] for seam in sorted(seams & passings.keys())]
