"""Cuts the power of a simulated disk under the ledger, at any moment, and looks at what a new process finds.

A recording VFS notes every write, truncation, sync, creation and deletion of a session. An image is the disk at one
moment of it: what was synced is there; of what was not, nothing, everything, or a random part in any order, torn at
sectors of 512 bytes. A file's name is as durable as the folder: SQLite syncs that with the first sync of a new WAL.

The longer sweep: python tests/support/power_cut.py --images 5000
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import apsw

from bulk_cancel.core.clock import PaceRecord, TimeBase
from bulk_cancel.core.model import Entry, InputRow, Work
from bulk_cancel.core.states import Event, State
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.port import PaceUpdate, RunStart
from bulk_cancel.ledger.sqlite import open as opening
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger

SECTOR = 512
TARGETS = 120
BATCH = 5
AT = 1_800_000_000.0


# -- the disk ---------------------------------------------------------------------------------------------------------


@dataclass
class File:
    """One file: what is on the disk for sure, and what is still on its way there."""

    durable: bytes = b""
    pending: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """A write, or a truncation when there is no data."""

    offset: int
    data: bytes | None

    def torn(self, chance: random.Random) -> Iterator[Change]:
        """Yield the parts of it that reached the disk."""
        if self.data is None:
            yield from [self] * chance.randrange(2)
            return
        start = self.offset
        while start < self.offset + len(self.data):
            end = min((start // SECTOR + 1) * SECTOR, self.offset + len(self.data))
            if chance.randrange(2):
                yield Change(start, self.data[start - self.offset : end - self.offset])
            start = end


def applied(content: bytes, changes: list[Change]) -> bytes:
    """Return a file's content after some changes."""
    image = bytearray(content)
    for change in changes:
        if change.data is None:
            del image[change.offset :]
        else:
            image.extend(bytes(max(0, change.offset - len(image))))
            image[change.offset : change.offset + len(change.data)] = change.data
    return bytes(image)


@dataclass
class Disk:
    """Replays a session's log; can be asked at any moment what a power cut would leave."""

    names: dict[str, File]  #: as the folder on the disk has them
    renames: list[tuple[str, File | None]] = field(default_factory=list)  #: names made or removed, not yet synced

    def now(self) -> dict[str, File]:
        """Return the files as the running process sees them."""
        return self._after(len(self.renames))

    def _after(self, count: int) -> dict[str, File]:
        names: dict[str, File | None] = {**self.names, **dict(self.renames[:count])}
        return {name: file for name, file in names.items() if file is not None}

    def play(self, kind: str, name: str, change: Change | None) -> None:
        """Do what the session did next."""
        if kind == "create" and name not in self.now():
            self.renames.append((name, File()))
        elif kind == "delete":
            self.renames.append((name, None))
        elif kind == "change" and change is not None:
            self.now()[name].pending.append(change)
        elif kind == "sync":
            file = self.now()[name]
            file.durable, file.pending = applied(file.durable, file.pending), []
            if name.endswith("-wal"):
                self.names, self.renames = self.now(), []

    def image(self, chance: random.Random | None, *, everything: bool = False) -> dict[str, bytes]:
        """Return what a cut leaves: a random part of what is pending, or everything, or nothing of it."""
        if chance is None:
            names = self._after(len(self.renames) if everything else 0)
            return {name: applied(file.durable, file.pending * everything) for name, file in names.items()}
        names = self._after(chance.randint(0, len(self.renames)))
        return {
            name: applied(file.durable, [part for change in file.pending for part in change.torn(chance)])
            for name, file in names.items()
        }


# -- the recording ----------------------------------------------------------------------------------------------------


@dataclass
class Session:
    """What was done to the disk, and after which step what had been promised."""

    before: dict[str, bytes] = field(default_factory=dict)
    log: list[tuple[str, str, Change | None]] = field(default_factory=list)
    promises: list[tuple[int, object]] = field(default_factory=list)  #: length of the log, what the ledger then said

    def note(self, kind: str, name: str, change: Change | None = None) -> None:
        self.log.append((kind, name, change))

    def promise(self, ledger: SqliteLedger) -> None:
        self.promises.append((len(self.log), facts(ledger)))


class RecordingVfs(apsw.VFS):
    """The operating system's files, with a witness."""

    def __init__(self, session: Session) -> None:
        super().__init__("recording", "", makedefault=True)
        self._session = session

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:
        path = name if isinstance(name, str) or name is None else name.filename()
        if flags[0] & apsw.SQLITE_OPEN_CREATE:
            self._session.note("create", Path(str(path)).name)
        return RecordingFile(path, flags, self._session)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self._session.note("delete", Path(filename).name)


class RecordingFile(apsw.VFSFile):
    """One file, with a witness."""

    def __init__(self, path: str | None, flags: list[int], session: Session) -> None:
        super().__init__("unix", path, flags)  # type: ignore[arg-type]
        self._name, self._session = Path(str(path)).name, session

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._session.note("change", self._name, Change(offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        super().xTruncate(size)
        self._session.note("change", self._name, Change(size, None))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._session.note("sync", self._name)


def record(folder: Path, synchronous: str) -> Session:
    """Let a ledger live through staging, sending, closing and a second run; return what happened to its files."""
    path = folder / "ledger.db"
    SqliteLedger.open(path).close()
    session = Session({path.name: path.read_bytes()})
    writing = tuple(pragma.replace("synchronous = FULL", f"synchronous = {synchronous}") for pragma in opening.WRITING)
    vfs = RecordingVfs(session)
    apsw.connection_hooks.append(_early_checkpoints)
    try:
        with patch.object(opening, "WRITING", writing):
            live(path, session)
    finally:
        apsw.connection_hooks.remove(_early_checkpoints)
        vfs.unregister()
    return session


def _early_checkpoints(connection: apsw.Connection) -> None:
    """Many of them in a short session; the program's own setting is 1,000 pages."""
    connection.wal_autocheckpoint(40)


def live(path: Path, session: Session) -> None:
    """Two runs: the first stages and sends a part, the second recovers and sends on."""
    for run_id in ("run-1", "run-2"):
        ledger = SqliteLedger.open(path)
        session.promise(ledger)
        run_no = ledger.begin_run(RunStart(run_id, AT, TimeBase("boot", 0.0)))
        session.promise(ledger)
        for start in range(0, TARGETS, TARGETS // 2):
            ledger.stage(run_no, [_row(number) for number in range(start, start + TARGETS // 2)], AT)
            session.promise(ledger)
        ledger.recover(run_no, AT)
        session.promise(ledger)
        _send(ledger, run_no, session)
        ledger.close()


def _row(number: int) -> InputRow:
    appointment_id = f"00000000-0000-4000-8000-{number:012d}"
    return InputRow(number + 2, appointment_id, None, False, False, "closed", None, number + 2, None)


def _send(ledger: SqliteLedger, run_no: int, session: Session) -> None:
    """Settle the batch before with each batch of intents, as group commits do; leave the last one open."""
    open_ones: list[Work] = []
    work = [item for _, item in ledger.work(run_no, 0, series=False, limit=TARGETS // 2)]
    for start in range(0, len(work), BATCH):
        batch = work[start : start + BATCH]
        intents = [Entry(item.target_id, Event.INTENT, item.state, item.attempts + 1, AT) for item in batch]
        outcomes = [_outcome(item) for item in open_ones]
        ledger.append(run_no, [*intents, *outcomes], PaceUpdate("key", PaceRecord(AT + start, float(start), "boot")))
        session.promise(ledger)
        open_ones = batch


def _outcome(item: Work) -> Entry:
    event = (Event.CANCELLED, Event.REJECTED, Event.NO_PROOF, Event.NOT_APPLIED)[item.target_id % 4]
    return Entry(item.target_id, event, State.SENDING, item.attempts + 1, AT, 200, "x" * 40)


def facts(ledger: SqliteLedger) -> object:
    """Return everything that a promise is about."""
    runs = ledger.runs()
    return list(ledger.all_events()), ledger.load_pace("key"), [(run, ledger.counts(run.run_no)) for run in runs]


# -- the cuts ---------------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What came of a sweep."""

    images: int = 0
    lost: int = 0  #: images without everything that was acknowledged
    wrong: list[str] = field(default_factory=list)  #: images that do not open, do not verify, or hold half a commit

    def __str__(self) -> str:
        return f"{self.images} images, acknowledged commits lost in {self.lost}, wrong {len(self.wrong)}"


def sweep(folder: Path, images: int, synchronous: str = "FULL", seed: int = 0) -> Figures:
    """Record a session and cut its power `images` times."""
    session = record(folder, synchronous)
    figures, chance = Figures(), random.Random(seed)
    disk = Disk({name: File(content) for name, content in session.before.items()})
    cuts = sorted(chance.choices(range(len(session.log) + 1), k=images))
    for moment in range(len(session.log) + 1):
        for _ in range(cuts.count(moment)):
            _cut(disk, session, moment, figures, chance)
        if moment < len(session.log):
            disk.play(*session.log[moment])
    return figures


def _cut(disk: Disk, session: Session, moment: int, figures: Figures, chance: random.Random) -> None:
    kind = ("nothing", "everything", "a part", "a part")[figures.images % 4]
    image = disk.image(chance if kind == "a part" else None, everything=kind == "everything")
    figures.images += 1
    kept = sum(when <= moment for when, _ in session.promises)
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        for name, content in image.items():
            (Path(folder) / name).write_bytes(content)
        found = _found(Path(folder) / "ledger.db")
    if isinstance(found, str):
        figures.wrong.append(f"moment {moment}, {kind} kept: {found}")
    elif found not in [said for _, said in session.promises[max(0, kept - 1) : kept + 1]]:
        lost = found in [said for _, said in session.promises[:kept]]
        figures.lost += lost
        if not lost:
            figures.wrong.append(f"moment {moment}, {kind} kept: neither before nor after a commit")


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _found(path: Path) -> object:
    """Return what a new process finds, or a sentence about what is wrong with it."""
    try:
        ledger = SqliteLedger.open(path)
    except LedgerError as error:
        return str(error)
    try:
        return "; ".join(ledger.verify()) or facts(ledger)
    finally:
        ledger.close()


def main() -> None:
    """Print the figures of a sweep."""
    parser = argparse.ArgumentParser(description="Cut the power of a simulated disk under the ledger.")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for synchronous in ("FULL", "NORMAL"):
        with tempfile.TemporaryDirectory() as folder:
            figures = sweep(Path(folder), options.images, synchronous, options.seed)
        print(f"WAL, synchronous={synchronous}: {figures}", *figures.wrong, sep="\n  ")


if __name__ == "__main__":
    main()
