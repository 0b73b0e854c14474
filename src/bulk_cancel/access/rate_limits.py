"""A credential's rate limit: a limiter that continues where the last command with that credential stopped."""

from __future__ import annotations

import json
import math
from contextlib import suppress

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import credential_pace
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace, with_margin
from bulk_cancel.core.retry import LONGEST_PAUSE_S
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.errors import BulkCancelError, ConfigError
from bulk_cancel.ops.private_files import replace_note


def limiter_of(pace: Pace, key: str, machine: Machine, known: PaceRecord | None) -> Limiter:
    """Return a limiter that continues where the last run, plan or search with this credential stopped."""
    pace, clock = with_margin(pace), machine.clock
    records = [record for record in (known, remembered(machine, key)) if record]
    tat = max((tat_of(record, pace, clock) for record in records), default=clock.monotonic())
    return machine.make_limiter(pace, clock, tat, machine.jitter)


def tat_of(record: PaceRecord, pace: Pace, clock: Clock) -> float:
    """Return the TAT of a record on a process's monotonic clock; after a reboot no further ahead than a run waits."""
    return record.tat(clock.base, clock.monotonic(), LONGEST_PAUSE_S + pace.span_s)


def remember(machine: Machine, key: str, record: PaceRecord) -> None:
    """Save a limiter's state for the next command with this credential.

    Errors are ignored: without it, at worst the API asks for a pause.
    """
    with suppress(OSError, ConfigError):
        file = credential_pace(machine.state_folder, key)
        replace_note(file, json.dumps([record.tat_at, record.tat_mono, record.boot_id]))


def remembered(machine: Machine, key: str) -> PaceRecord | None:
    """Return the saved state of a credential's limiter; None when there is no readable one."""
    try:
        note = credential_pace(machine.state_folder, key).read_text(encoding="utf-8")
        tat_at, tat_mono, boot_id = json.loads(note)
        record = PaceRecord(float(tat_at), float(tat_mono), None if boot_id is None else str(boot_id))
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        return None
    return record if math.isfinite(record.tat_at) and math.isfinite(record.tat_mono) else None


def known_pace(place: LedgerPlace, key: str) -> PaceRecord | None:
    """Return what the ledger knows of the limit's use; None when it cannot be read, which must not stop a read."""
    with suppress(BulkCancelError):
        if place.exists():
            with place.reading() as ledger:
                return ledger.load_pace(key)
    return None
