"""What happens to the ledger's files between two runs."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from world.scenario import Scenario


class LedgerFiles:
    """The files of one ledger, and those of earlier moments."""

    def __init__(
        self, scenario: Scenario, folder: Path, ledger: Path, note: Callable[..., None], counted: Counter[str]
    ) -> None:
        self._scenario, self._folder, self._ledger = scenario, folder, ledger
        self._note, self._counted = note, counted
        self._kept: Path | None = None

    def mischief(self, rng: random.Random, runs: int) -> Path | None:
        """Do something to the ledger's files between two runs; return where the right ones are kept."""
        kept, does = self._folder / f"kept-{runs}", self._scenario.has("mischief") and rng.random() < 0.6
        what = rng.choice(("without its -wal", "an older copy", "cut in half", "deleted"))
        if not self._scenario.has("mischief"):
            return None
        kept.mkdir()
        for file in self._folder.glob("ledger.db*"):
            shutil.copy2(file, kept / file.name)
        older, self._kept = self._kept, kept
        if not does or older is None:
            return None
        self._note("machine", "ledger", what)
        self._counted[f"ledger {what}"] += 1
        if what == "without its -wal":
            Path(f"{self._ledger}-wal").unlink(missing_ok=True)
            Path(f"{self._ledger}-shm").unlink(missing_ok=True)
        elif what == "an older copy":
            self.put_back(older)
        elif what == "cut in half":
            self._ledger.write_bytes(self._ledger.read_bytes()[: self._ledger.stat().st_size // 2])
        else:
            for file in self._folder.glob("ledger.db*"):
                file.unlink()
        return kept

    def put_back(self, kept: Path) -> None:
        self._note("machine", "ledger put back")
        for file in self._folder.glob("ledger.db*"):
            file.unlink()
        for file in kept.iterdir():
            shutil.copy2(file, self._folder / file.name)
