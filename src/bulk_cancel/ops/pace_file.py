"""Remembers what plans and searches used of a key's limit. They write no ledger, but a run right after must know."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from bulk_cancel.core.clock import PaceRecord


def remember_pace(path: Path, record: PaceRecord) -> None:
    """Write the limiter's state. Losing it costs a pause that the API asks for, so nothing here may fail a plan."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.write_text(json.dumps([record.tat_at, record.tat_mono, record.boot_id]), encoding="utf-8")
        aside.replace(path)


def remembered_pace(path: Path) -> PaceRecord | None:
    """Read what was remembered; None when there is nothing, or nothing that can be read."""
    try:
        tat_at, tat_mono, boot_id = json.loads(path.read_text(encoding="utf-8"))
        return PaceRecord(float(tat_at), float(tat_mono), None if boot_id is None else str(boot_id))
    except (OSError, ValueError, TypeError):
        return None
