"""What a ledger offers beside the contract in `port` when many workers on many machines share it.

A worker takes a chunk and owns it until the chunk has ended, or until another worker takes it over. Every call that
names a `Lease` is fenced: it checks, in the transaction of what it writes, that the lease still holds, and raises
LostChunkError when it does not. So a worker that was frozen, or cut off, writes nothing more once its chunk has a new
owner: no intent, hence no send; no heartbeat; no reserved pace.

All times are by the database's clock: the clocks of the machines need not agree.
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
    """A worker's right to a chunk. It holds while `epoch` is the chunk's newest: taking and ending increment it."""

    chunk: Chunk
    account: str
    owner: str  #: names the worker, for people
    epoch: int


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A chunk as the ledger knows it."""

    chunk: Chunk
    account: str
    targets: int  #: number of targets it was planned with
    owner: str  #: the last one who took it; empty: nobody yet
    epoch: int  #: incremented whenever it is taken, released or ended
    silent_s: float | None  #: seconds since the owner's last heartbeat; None when it has no owner
    ended: bool
    note: str  #: how it ended, for people
    given_back_s: float | None = None  #: seconds since a worker gave it back that lacks what it needs; None: none did
    posts: int = 0  #: requests of all its owners
    gets: int = 0
    throttled: int = 0

    @property
    def series(self) -> bool:
        """Whether its targets are series, which are sent when all other chunks of the run have ended."""
        return self.chunk.series


NOBODY = "No worker has taken it."
START_ONE = "To start one: bulk-cancel worker, with the same ledger and accounts."


def is_untaken(chunks: Iterable[ChunkRecord]) -> bool:
    """Return whether no open chunk of a run has an owner, and one of the next to be taken never had any."""
    left = [chunk for chunk in chunks if not chunk.ended]
    following = [chunk for chunk in left if not chunk.series] or left
    return any(not chunk.epoch for chunk in following) and not any(chunk.owner for chunk in left)


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a run that all its workers share."""

    stopped: str = ""  #: why it is to stop, a sentence; empty: it is not
    refused: int = 0  #: targets that were refused in it, by any worker


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slots of a credential's limit for one process: the k-th (from 0) may start as GCRA says for TAT + k intervals."""

    count: int
    ahead_s: float  #: the TAT before the first slot, in seconds after the moment of the reservation; never negative
    end_at: float  #: the TAT after the last slot, by the database's clock; identifies the reservation in `give_back`


class SharedLedger(Ledger, Protocol):
    """A ledger for many workers."""

    standing: Standing  #: of the held chunk's run, as the newest fenced call showed it

    def stop_run(self, run_no: int, why: str) -> None:
        """Make all workers stop working on a run; the first reason is kept."""

    def end_given_up(self, run_no: int) -> None:
        """End a stopped run and its open chunks, if each owner has been silent for longer than it may be."""

    def plan_chunks(self, run_no: int, size: int) -> None:
        """Divide the sendable targets of a run into chunks of at most `size`, of one account each, series apart.

        A series without an outcome is also in a chunk of other rows, which wait for it. The chunks are numbered from 1:
        those that look up such a series, then all others, by their first rows. Does nothing when the run has chunks.
        """

    def chunks(self, run_no: int) -> Sequence[ChunkRecord]:
        """Return the run's chunks by number."""

    def chunk(self, run_no: int, chunk_no: int) -> ChunkRecord | None:
        """Return a chunk of the run; None when it has no such chunk."""

    def open_chunks(self, run_no: int) -> tuple[bool, bool]:
        """Return whether the run has open chunks: without series, and of series."""

    def take_chunk(self, run_no: int, chunk_no: int, owner: str, silence_s: float) -> Lease | None:
        """Take a chunk from any earlier owner; None when it has ended or does not exist.

        After `silence_s` seconds without a heartbeat the new owner may be considered dead.
        """

    def work_under(self, lease: Lease | None) -> None:
        """Fence `append` and `recover` by `lease` from now on, and count them as heartbeats; None: stop doing so."""

    def heartbeat(self, lease: Lease, gets: int = 0, throttled: int = 0) -> None:
        """Record a heartbeat, and count these requests; `append` counts the cancels. Fenced."""

    def end_chunk(self, lease: Lease, note: str) -> None:
        """Mark the chunk as ended. Fenced."""

    def end_account(self, lease: Lease, note: str) -> None:
        """Mark all chunks of the account that have not ended as ended. Fenced."""

    def reopen_chunk(self, lease: Lease, *, given_back: bool = False) -> None:
        """Release a chunk without ending it, so that it is taken again later: the lease is over. Fenced.

        `given_back`: this worker lacks what the chunk needs.
        """

    def silent_chunks(self, longer_than_s: float) -> Sequence[ChunkRecord]:
        """Return the open chunks of all runs whose owner has been silent for longer than this."""

    def reserve(self, credential: str, count: int, pace: Pace, lease: Lease | None = None) -> Reservation:
        """Move the credential's TAT on by `count` intervals of `pace`, in one atomic statement. Fenced by `lease`."""

    def give_back(self, credential: str, reservation: Reservation, unused: int, pace: Pace) -> None:
        """Return the last `unused` slots of a reservation, if no other was made since; a pause stays in force.

        Does nothing when another reservation came first.
        """

    def pause(self, credential: str, seconds: float, pace: Pace) -> None:
        """Let nothing start with this credential for `seconds`, and no burst afterwards; a longer pause remains."""

    def paused_s(self, credential: str, pace: Pace) -> float:
        """Return the seconds that a pause of this credential still takes; 0 without one."""

    def lock_alone(self, wait_s: float) -> None:
        """Lock the whole ledger until `close`, against all other processes. Raises LockedError, naming the holder."""

    def hold_name(self, name: str) -> bool:
        """Lock a name of the caller's choice until `close`; False when another session holds it."""

    def lock_with_others(self, wait_s: float) -> None:
        """Share the ledger with other workers until `close`, against `lock_alone`. Raises LockedError."""

    def time_base(self) -> TimeBase:
        """Relate this process's monotonic clock to the database's clock."""
