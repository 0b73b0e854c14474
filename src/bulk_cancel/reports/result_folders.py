"""The folders of results: whose they are, the snapshots that runs keep there, and what becomes of earlier results."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from bulk_cancel.ledger.port import Ledger, RunRecord
from bulk_cancel.ops.private_files import make_folder
from bulk_cancel.reports.rebooking import REBOOKING
from bulk_cancel.reports.summary import SUMMARY_JSON

_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_KEPT = re.compile(rf"input-({_RUN_ID.pattern})\.parquet")


def snapshot_of(run: RunRecord) -> Path | None:
    """Return the snapshot of a run's input; None when there is none."""
    snapshot = _snapshot_in(folder_of(run), run.run_id)
    return snapshot if snapshot.exists() else None


def folder_of(run: RunRecord) -> Path:
    """Return the folder of a run's results: its own, or where a later run of another input has put them."""
    earlier = _earlier_in(Path(run.out), run.run_id)
    return earlier if earlier.is_dir() else Path(run.out)


def owner_of(folder: Path) -> str | None:
    """Return the id of the run whose results are in a folder; None where there are none."""
    if kept := kept_snapshots(folder):
        return max(kept)
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        told = str(json.loads((folder / SUMMARY_JSON).read_text(encoding="utf-8")).get("run_id"))
        return told if _RUN_ID.fullmatch(told) else None
    return None


def put_aside(ledger: Ledger, out: Path, digest: str, names: Collection[str]) -> Path | None:
    """Move the results of a run of another input than that of a digest to a folder of their own in `out`; return it.

    `names` are the files of a run in `out`. The results of the same input stay: its next run has the same rows. So does
    the list of people to call, which grows over the runs. The snapshot, which tells whose they are, is moved last, so
    that what was interrupted is continued. Raises OSError.
    """
    owner = owner_of(out)
    if owner is None or any(run.input_digest == digest for run in ledger.runs(owner)):
        return None
    aside = _earlier_in(out, owner)
    make_folder(aside)
    for name in (*(name for name in names if name != REBOOKING), _snapshot_in(out, owner).name):
        with suppress(FileNotFoundError):
            (out / name).replace(aside / name)
    return aside


def remove_abandoned(ledger: Ledger) -> None:
    """Remove the private folders of the last runs that died. No run of the ledger may be at work."""
    for run in ledger.runs():
        if run.status != "ended" and run.out and _RUN_ID.fullmatch(run.run_id):
            shutil.rmtree(Path(run.out) / f".{run.run_id}", ignore_errors=True)


def keep_snapshot(snapshot: Path, out: Path, run_id: str) -> None:
    """Keep the snapshot of a run that has begun in its folder `out`, if it has one, and those of no other run there.

    It bears the run's id: what another run read can never be taken for what this one did. Raises OSError.
    """
    kept = _snapshot_in(out, run_id)
    if snapshot.exists():
        snapshot.replace(kept)
    for older in kept_snapshots(out).values():
        if older != kept:
            older.unlink(missing_ok=True)


def kept_snapshots(folder: Path) -> Mapping[str, Path]:
    """Return the snapshots that runs keep in a folder, by the ids of the runs."""
    found = ((_KEPT.fullmatch(path.name), path) for path in folder.glob("input-*.parquet"))
    return {name[1]: path for name, path in found if name}


def _earlier_in(out: Path, run_id: str) -> Path:
    return out / "earlier" / run_id


def _snapshot_in(out: Path, run_id: str) -> Path:
    return out / f"input-{run_id}.parquet"
