"""What PostgreSQL keeps of a shared ledger beside its history: the rows of `chunks` and `pace`; how a plan is cut."""

from __future__ import annotations

from dataclasses import dataclass

from bulk_cancel.core.model import Chunk
from bulk_cancel.ledger.shared import ChunkRecord

PLAN = """
WITH sendable AS (
  SELECT account, series, entire_series, asked_row,
    (row_number() OVER (PARTITION BY account, series ORDER BY asked_row) - 1) / ?2 AS piece
  FROM targets JOIN (SELECT 0 AS series UNION ALL SELECT 1)
    ON entire_series = series OR entire_series AND state IN ('sending', 'unknown')
  WHERE asked_by = ?1 AND state IN ('pending', 'waiting', 'sending', 'unknown')),
pieces AS (
  SELECT account, series, min(asked_row) AS first_row, max(asked_row) AS last_row,
    count(*) FILTER (WHERE entire_series = series) AS targets, max(entire_series AND NOT series) AS looks_up
  FROM sendable GROUP BY account, series, piece)
SELECT row_number() OVER (ORDER BY looks_up DESC, first_row, series), account, series,
  lag(last_row, 1, 0) OVER (PARTITION BY account, series ORDER BY first_row), last_row, targets
FROM pieces ORDER BY 1
"""


@dataclass
class ChunkRow:
    """A row of the table `chunks`."""

    chunk: Chunk
    account: str
    targets: int
    owner: str = ""
    epoch: int = 0
    heartbeat_at: float | None = None
    silence_s: float = 0.0
    ended: bool = False
    given_back_at: float | None = None
    note: str = ""
    requests: tuple[int, int, int] = (0, 0, 0)

    def record(self, now: float) -> ChunkRecord:
        silent_s, given_back_s = (None if at is None else now - at for at in (self.heartbeat_at, self.given_back_at))
        about = (self.owner, self.epoch, silent_s, self.ended, self.note, given_back_s)
        return ChunkRecord(self.chunk, self.account, self.targets, *about, *self.requests)

    def end(self, note: str) -> None:
        self.epoch, self.ended, self.note = self.epoch + 1, True, note


@dataclass
class PaceRow:
    """A row of the table `pace`."""

    tat_at: float = float("-inf")
    paused_to: float = 0.0
    reserved: int = 0  #: slots, ever, without those given back
