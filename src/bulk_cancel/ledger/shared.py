"""What a ledger offers beside the contract in `port` when many workers on many machines share it.

A worker takes a chunk and owns it until it has ended, or until another one takes it over. Every call that names a
`Lease` is fenced: it checks, in the transaction of what it writes, that the lease still stands, and raises
LostChunkError when it does not. So a worker that was frozen, or cut off, writes nothing more once its chunk has a new
owner: no intent, hence no send; no heartbeat; no reserved pace.

All times are the database's: the clocks of the machines need not agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Chunk
from bulk_cancel.core.pacing import Pace
from bulk_cancel.ledger.port import Ledger


@dataclass(frozen=True, slots=True)
class Lease:
    """A chunk that a worker owns, as long as its `epoch` is the chunk's newest: taking and ending count it up."""

    chunk: Chunk
    account: str
    owner: str  #: names the worker, for people
    epoch: int


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A chunk as the ledger knows it."""

    chunk: Chunk
    account: str
    targets: int  #: it was planned for
    owner: str  #: the last one who took it; empty: nobody yet
    epoch: int  #: counted up whenever it is taken, let go or ended
    silent_s: float | None  #: since the owner's last sign of life; None when nobody has taken it
    ended: bool
    note: str  #: how it ended, for people
    given_back_s: float | None = None  #: since a worker gave it back that may not do it; None: nobody did
    posts: int = 0  #: requests of all who had it
    gets: int = 0
    throttled: int = 0

    @property
    def series(self) -> bool:
        """Whether its targets are series: to be sent when all other chunks of the run have ended."""
        return self.chunk.series


NOBODY = "No worker has taken it."
START_ONE = "To start one: bulk-cancel worker, with the same ledger and accounts."


def is_untaken(chunks: Iterable[ChunkRecord]) -> bool:
    """Return whether nobody is at a run's chunks, and nobody has ever been at the next of them."""
    left = [chunk for chunk in chunks if not chunk.ended]
    following = [chunk for chunk in left if not chunk.series] or left
    return any(not chunk.epoch for chunk in following) and not any(chunk.owner for chunk in left)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands, as far as all who work on it have to know."""

    stopped: str = ""  #: why it is to stop, a sentence
    refused: int = 0  #: targets that were refused in it, by any worker


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slots of a credential's limit, for one process alone: the k-th (from 0) may start as GCRA says for TAT + k."""

    count: int
    ahead_s: float  #: the TAT before the first of them, relative to the moment of the reservation: never in the past
    end_at: float  #: the TAT after the last of them, on the database's clock: names the reservation when giving back


class SharedLedger(Ledger, Protocol):
    """A ledger for many workers."""

    standing: Standing  #: of the held chunk's run, as the newest fenced call showed it

    def stop_run(self, run_no: int, why: str) -> None:
        """Have all workers stop working on a run; the first reason stands."""

    def stopped(self, run_no: int) -> str:
        """Return why a run is to stop; empty when it is not."""

    def end_given_up(self, run_no: int) -> None:
        """End what is left of a run that was stopped, if each owner has been silent for longer than it may be."""

    def plan_chunks(self, run_no: int, size: int) -> None:
        """Cut what the run may send into chunks of at most `size` targets of one account, series apart from others.

        Numbers them from 1 in row order of their first rows. Does nothing when the run has chunks already.
        """

    def chunks(self, run_no: int) -> Sequence[ChunkRecord]:
        """Return the run's chunks by number."""

    def chunk(self, run_no: int, chunk_no: int) -> ChunkRecord | None:
        """Return one of them; None when the run has no such chunk."""

    def open_chunks(self, run_no: int) -> tuple[bool, bool]:
        """Tell whether chunks of the run have not ended yet: some that are not series, some that are."""

    def take_chunk(self, run_no: int, chunk_no: int, owner: str, silence_s: float) -> Lease | None:
        """Take a chunk from any earlier owner; None when it has ended or does not exist.

        After `silence_s` seconds without a sign of life the new owner may be taken for dead.
        """

    def work_under(self, lease: Lease | None) -> None:
        """From now on `append` and `recover` are fenced by `lease`, and count as heartbeats; None: not any more."""

    def heartbeat(self, lease: Lease, gets: int = 0, throttled: int = 0) -> None:
        """Give a sign of life, and count these requests; what is appended counts cancels by itself. Fenced."""

    def end_chunk(self, lease: Lease, note: str) -> None:
        """Mark the chunk as ended. Fenced."""

    def end_account(self, lease: Lease, note: str) -> None:
        """Mark all chunks of the account that have not ended as ended. Fenced."""

    def reopen_chunk(self, lease: Lease, *, given_back: bool = False) -> None:
        """Let go of a chunk that has to be worked on again later, without ending it: the lease is over. Fenced.

        `given_back`: by a worker that may not do it.
        """

    def silent_chunks(self, longer_than_s: float) -> Sequence[ChunkRecord]:
        """Return the chunks, of all runs, that somebody took, that have not ended and whose owner has been silent."""

    def reserve(self, credential: str, count: int, pace: Pace, lease: Lease | None = None) -> Reservation:
        """Move the credential's TAT on by `count` intervals of `pace`, in one atomic statement. Fenced by `lease`."""

    def give_back(self, credential: str, reservation: Reservation, unused: int, pace: Pace) -> None:
        """Return the last `unused` slots of a reservation, if nobody has reserved after it; a pause stands.

        Never fails for a lost race.
        """

    def pause(self, credential: str, seconds: float, pace: Pace) -> None:
        """Let nothing start with this credential for so long, and no burst afterwards; a longer pause stands."""

    def lock_alone(self, wait_s: float) -> None:
        """Hold the whole ledger until `close`: no other process runs or works on it. Raises LockedError, naming one."""

    def hold_name(self, name: str) -> bool:
        """Hold a name of the caller's choice until `close`; False when another session holds it."""

    def lock_with_others(self, wait_s: float) -> None:
        """Hold the ledger together with other workers until `close`, against those who want it alone. LockedError."""

    def time_base(self) -> TimeBase:
        """Relate this process's monotonic clock to the database's clock."""
