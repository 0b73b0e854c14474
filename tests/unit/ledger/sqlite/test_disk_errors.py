"""The disk refuses the n-th write or sync, for every n. What was acknowledged stays; the rest is there whole or not."""

from __future__ import annotations

import itertools
import math
import resource
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from bulk_cancel.core.model import Entry
from bulk_cancel.core.states import Event
from bulk_cancel.errors import Exit, LedgerCreateError, LedgerDiskError, LedgerError
from bulk_cancel.ledger.sqlite import create, file_guard
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.given import entries, row, staged, target
from support.ledger_files import kill

BATCHES = 4
TARGETS = range(2, 2 + 3 * BATCHES)


class Disk:
    """Counts writes and syncs. The one whose turn it is fails, alone or with all that follow."""

    def __init__(self, error: type[Exception], *, for_good: bool) -> None:
        self.error, self.for_good = error, for_good
        self.calls, self.fails_at = 0, 0
        self.failed = False
        self.room = math.inf  #: pages by which the main file may still grow

    def grow(self) -> None:
        self.room -= 1
        if self.room < 0:
            raise apsw.FullError("injected")

    def touch(self) -> None:
        self.calls += 1
        due = self.calls >= self.fails_at if self.for_good else self.calls == self.fails_at
        if self.fails_at and due:
            self.failed = True
            raise self.error("injected")

    def fail_after(self, calls: int) -> None:
        self.calls, self.fails_at = 0, calls

    def mend(self) -> bool:
        """Let nothing fail any more; return whether something had failed."""
        failed, self.failed, self.fails_at = self.failed, False, 0
        return failed


class FailingVfs(apsw.VFS):
    """The operating system's files, on a `Disk`."""

    def __init__(self, disk: Disk) -> None:
        super().__init__("failing", "", makedefault=True)
        self._disk = disk

    def xOpen(self, name: object, flags: list[int]) -> apsw.VFSFile:
        return FailingFile(name, flags, self._disk)


class FailingFile(apsw.VFSFile):
    def __init__(self, name: object, flags: list[int], disk: Disk) -> None:
        super().__init__("unix", name, flags)  # type: ignore[arg-type]
        self._disk, self._is_main = disk, bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.touch()
        if self._is_main and offset >= self.xFileSize():
            self._disk.grow()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.touch()
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:
        self._disk.touch()
        super().xTruncate(size)


@pytest.fixture(
    params=[
        pytest.param((apsw.FullError, True), id="full for good"),
        pytest.param((apsw.FullError, False), id="full once", marks=pytest.mark.long),
        pytest.param((apsw.IOError, True), id="EIO for good", marks=pytest.mark.long),
        pytest.param((apsw.IOError, False), id="EIO once"),
    ]
)
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    error, for_good = request.param
    made = Disk(error, for_good=for_good)
    vfs = FailingVfs(made)
    monkeypatch.setattr(file_guard, "CHECKPOINT_PAGES", 8)  # so that a few commits meet some checkpoints
    yield made
    vfs.unregister()


def batches(ledger: SqliteLedger) -> list[list[Entry]]:
    """Each makes three intents, and settles those of the batch before."""
    made: list[list[Entry]] = []
    for number in range(BATCHES):
        mine = [target(ledger, one) for one in TARGETS[3 * number : 3 * number + 3]]
        before = [target(ledger, one) for one in TARGETS[3 * number - 3 : 3 * number]] if number else []
        intents = [entries(work, Event.INTENT)[0] for work in mine]
        outcomes = [entries(work, Event.INTENT, Event.CANCELLED)[1] for work in before]
        made.append([*intents, *outcomes])
    return made


def events_of(batch: list[Entry]) -> set[tuple[int, str]]:
    return {(entry.target_id, entry.event.value) for entry in batch}


def recorded(path: Path) -> set[tuple[int, str]]:
    """What a new process finds; it must find a whole ledger."""
    ledger = SqliteLedger.open(path)
    assert ledger.verify() == []
    found = {(number, line.event) for number in range(1, 1 + len(TARGETS)) for line in ledger.history(number)}
    ledger.close()
    return found


def refusal(call: Callable[[], object]) -> LedgerError | None:
    try:
        call()
    except LedgerError as error:
        return error
    return None


def append_until_refused(ledger: SqliteLedger, run_no: int, work: list[list[Entry]]) -> int:
    """Return how many batches were acknowledged."""
    for number, batch in enumerate(work):
        if error := refusal(partial(ledger.append, run_no, batch)):
            assert isinstance(error, LedgerDiskError)
            assert error.exit_code is Exit.DISK
            assert str(ledger.path) in str(error)
            assert "run the same command again" in error.advice
            return number
    return len(work)


def assert_whole(found: set[tuple[int, str]], work: list[list[Entry]], acknowledged: int) -> None:
    for number, batch in enumerate(work):
        if number < acknowledged:
            assert events_of(batch) <= found, "an acknowledged batch is lost"
        elif number == acknowledged:
            assert events_of(batch) <= found or not events_of(batch) & found, "half a batch"
        else:
            assert not events_of(batch) & found, "a batch that was never written"


@pytest.fixture
def prepared(path: Path) -> Path:
    """A closed ledger with all targets staged by run 1."""
    ledger = SqliteLedger.open(path)
    staged(ledger, *(row(number, number) for number in TARGETS))
    ledger.close()
    return path


def each_refusal(prepared: Path, disk: Disk, act: Callable[[SqliteLedger], object]) -> Iterator[tuple[object, Path]]:
    """Do `act` over and over, with the disk failing later each time, until it does not fail any more.

    Yield what `act` returned with each ledger that a new process may find then: that of a killed one, and the closed.
    """
    for calls in itertools.count(1):
        folder = prepared.with_name(f"failing-{calls}")
        folder.mkdir()
        path = Path(shutil.copy(prepared, folder))
        ledger = SqliteLedger.open(path)
        disk.fail_after(calls)
        result = act(ledger)
        killed = kill(ledger, folder / "killed.db")
        refusal(ledger.close)
        was_touched = disk.mend()
        yield result, killed
        yield result, path
        if not was_touched:
            return


def test_no_refused_write_loses_or_halves_a_commit(prepared: Path, disk: Disk) -> None:
    ledger = SqliteLedger.open(prepared)
    work = batches(ledger)
    ledger.close()
    outcomes = set()
    for acknowledged, found in each_refusal(prepared, disk, lambda failing: append_until_refused(failing, 1, work)):
        assert isinstance(acknowledged, int)
        assert_whole(recorded(found), work, acknowledged)
        outcomes.add(acknowledged)
    assert outcomes == set(range(BATCHES + 1)), "the disk has to refuse every batch once, and none at last"


def test_after_a_refused_write_the_next_ones_are_refused_by_the_disk_or_by_nothing(prepared: Path, disk: Disk) -> None:
    ledger = SqliteLedger.open(prepared)
    work = batches(ledger)
    ledger.close()

    def refused_and_ended(failing: SqliteLedger) -> LedgerError | None:
        append_until_refused(failing, 1, work)
        return refusal(lambda: failing.end_run(1, 1.0, ""))

    for error, _ in each_refusal(prepared, disk, refused_and_ended):
        assert error is None or isinstance(error, LedgerDiskError), str(error)


@pytest.mark.parametrize("disk", [pytest.param((apsw.FullError, False), id="full")], indirect=True)
def test_each_checkpoint_that_a_full_disk_cuts_short_is_told_as_a_full_disk(prepared: Path, disk: Disk) -> None:
    ledger = SqliteLedger.open(prepared)
    for number in range(1, 4):
        before = prepared.stat().st_size
        disk.room = 1
        error = refused_within_a_checkpoint(ledger, 1000 * number)
        disk.room = math.inf
        assert error.exit_code is Exit.DISK
        assert "Free some space" in error.advice
        assert prepared.stat().st_size > before, "a part of the WAL was copied"
    ledger.end_run(1, 1.0, "")
    assert ledger.verify() == []
    prepared.write_bytes(prepared.read_bytes())
    with pytest.raises(LedgerError, match="replaced while in use"):
        ledger.end_run(1, 1.0, "")
    ledger.close()


def refused_within_a_checkpoint(ledger: SqliteLedger, first: int) -> LedgerDiskError:
    """Stage rows from the number `first` on, until the main file may not grow any more."""
    for at in itertools.count(first, 20):
        chunk = [row(number, number) for number in range(at, at + 20)]
        if error := refusal(partial(ledger.stage, 1, chunk, 1.0)):
            assert isinstance(error, LedgerDiskError), str(error)
            return error
    raise AssertionError


def test_a_refused_staging_leaves_its_whole_chunk_or_nothing_of_it(prepared: Path, disk: Disk) -> None:
    def stages(ledger: SqliteLedger) -> LedgerError | None:
        return refusal(lambda: ledger.stage(1, [row(number, number) for number in range(100, 300)], 1.0))

    for refused, path in each_refusal(prepared, disk, stages):
        again = SqliteLedger.open(path)
        assert again.target_count(1) in ({len(TARGETS), len(TARGETS) + 200} if refused else {len(TARGETS) + 200})
        assert again.verify() == []
        again.close()


def test_a_ledger_that_cannot_be_made_is_not_there(tmp_path: Path, disk: Disk) -> None:
    for calls in itertools.count(1):
        path = tmp_path / f"{calls}" / "ledger.db"
        disk.fail_after(calls)
        error = refusal(lambda made=path: SqliteLedger.open(made).close())
        was_touched = disk.mend()
        if isinstance(error, LedgerCreateError):
            assert error.exit_code is Exit.CANNOT_CREATE
            assert not path.exists()
        ledger = SqliteLedger.open(path)
        assert (ledger.runs(), ledger.verify()) == ([], [])
        ledger.close()
        if not was_touched:
            return


@pytest.mark.parametrize("most_bytes", range(4096, 90_000, 4096))
def test_a_ledger_that_is_made_while_files_may_not_grow_can_be_made_afterwards(path: Path, most_bytes: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        refusal(lambda: SqliteLedger.open(path).close())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ledger = SqliteLedger.open(path)
    assert (ledger.runs(), ledger.verify()) == ([], [])
    ledger.close()


def test_a_ledger_whose_first_checkpoint_is_refused_is_not_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says nothing when the disk refuses the checkpoint of closing, and leaves half of the file in the -wal."""

    class Refused(create.Connection):
        def wal_checkpoint(self, *_: object) -> tuple[int, int]:
            raise apsw.FullError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(create, "Connection", Refused)
        assert isinstance(refusal(lambda: SqliteLedger.open(path)), LedgerCreateError)
    assert not path.exists()
    SqliteLedger.open(path).close()
