"""What happens to the ledger's files between two runs."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.access.machine import Machine
from bulk_cancel.commands.resolve import forget
from bulk_cancel.errors import BulkCancelError
from world.scenario import Scenario

_MISCHIEF = (
    "without its -wal",
    "an older copy",
    "an older copy beside its -wal",
    "an older copy that went on elsewhere",
    "cut in half",
    "deleted",
)
#: What may be done to the files while they are in use. Those that take another's place are noticed at any moment.
ANOTHER = ("deleted", "replaced")
_SWAPS = (*ANOTHER, "written over", "cut")


@dataclass(frozen=True)
class Swap:
    """The files of a ledger were changed while it was in use."""

    kept: Path  #: where the right ones are
    content: bytes  #: of the file that took the ledger's place; none when there is none


def forgotten(place: LedgerPlace, machine: Machine) -> bool:
    """Have this machine forget a lost ledger, as an impatient person does, and know it again; whether it would."""
    kept = Path(shutil.copytree(machine.state_folder, f"{machine.state_folder}-kept"))
    try:
        return forget(place, machine) > 0
    except BulkCancelError:
        return False
    finally:
        shutil.rmtree(machine.state_folder)
        kept.rename(machine.state_folder)


class LedgerFiles:
    """The files of one ledger, and those of earlier moments."""

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        ledger: Path,
        note: Callable[..., None],
        counted: Counter[str],
        goes_on: Callable[[], None],
    ) -> None:
        self._scenario, self._folder, self._ledger = scenario, folder, ledger
        self._note, self._counted = note, counted
        self._goes_on_elsewhere = goes_on
        self._kept: list[Path] = []

    def mischief(self, rng: random.Random, runs: int, *, has_unseen: bool) -> Path | None:
        """Do something to the ledger's files between two runs; return where the right ones are kept.

        `has_unseen`: it holds an event that no mark has seen, so nobody could tell that it is lost.
        """
        kept, does = self._folder / f"kept-{runs}", self._scenario.has("mischief") and rng.random() < 0.6
        does = does and not has_unseen
        what = rng.choice(_MISCHIEF)
        if not self._scenario.has("mischief"):
            return None
        kept.mkdir()
        for file in self._folder.glob("ledger.db*"):
            shutil.copy2(file, kept / file.name)
        self._kept += [kept] * (kept / "ledger.db").exists()
        if not does or len(self._kept) < 2:
            return None
        older = self._scenario.chance.of("which copy", runs).choice(self._kept[:-1])
        self._note("machine", "ledger", what)
        self._counted[f"ledger {what}"] += 1
        if what == "without its -wal":
            Path(f"{self._ledger}-wal").unlink(missing_ok=True)
            Path(f"{self._ledger}-shm").unlink(missing_ok=True)
        elif what == "an older copy beside its -wal":
            shutil.copy2(older / "ledger.db", self._ledger)
        elif what in ("an older copy", "an older copy that went on elsewhere"):
            self.put_back(older)
            if what != "an older copy":
                self._goes_on_elsewhere()
        elif what == "cut in half":
            with suppress(FileNotFoundError):  # it may be gone, and have known nothing
                self._ledger.write_bytes(self._ledger.read_bytes()[: self._ledger.stat().st_size // 2])
        else:
            for file in self._folder.glob("ledger.db*"):
                file.unlink()
        return kept

    def swap(self, rng: random.Random, name: str, how: Sequence[str] = _SWAPS) -> Swap:
        """Change the files while they are in use; what they were is kept."""
        kept = self._folder / name
        kept.mkdir()
        for file in self._folder.glob("ledger.db*"):
            shutil.copy2(file, kept / file.name)
        what = rng.choice(how)
        self._note("machine", "ledger in use", what)
        self._counted[f"ledger {what} while in use"] += 1
        older = (self._kept[-1] if self._kept else kept) / "ledger.db"
        if what in ("deleted", "replaced"):
            self._ledger.unlink()
        if what == "replaced":
            shutil.copy2(older, self._ledger)
        elif what == "written over":
            with self._ledger.open("r+b") as file:
                file.write(older.read_bytes())
        elif what == "cut":
            with self._ledger.open("r+b") as file:
                file.truncate(self._ledger.stat().st_size // 2)
        return Swap(kept, self._content())

    def end_swap(self, swap: Swap) -> bool:
        """Put the right files back; tell whether the program left the file that took the ledger's place as it was."""
        is_as_it_was = self._content() == swap.content
        self.put_back(swap.kept)
        return is_as_it_was

    def _content(self) -> bytes:
        return self._ledger.read_bytes() if self._ledger.exists() else b""

    def put_back(self, kept: Path) -> None:
        self._note("machine", "ledger put back")
        for file in self._folder.glob("ledger.db*"):
            file.unlink()
        for file in kept.iterdir():
            shutil.copy2(file, self._folder / file.name)
