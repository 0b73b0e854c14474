"""Checks the ledger, its folder, its disk and its locks. Only reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bulk_cancel.access.ledgers import LedgerFile, LedgerPlace
from bulk_cancel.commands.doctor.check import Check, Level, failed, good, tried, warning
from bulk_cancel.core.text import counted
from bulk_cancel.errors import BulkCancelError, ConfigError, LedgerCreateError, LedgerDiskError, LedgerError
from bulk_cancel.ledger.port import Health
from bulk_cancel.ledger.sqlite.open import QUICK_CHECK_BYTES
from bulk_cancel.ops.locks import Holder
from bulk_cancel.ops.private_files import refuse_open_folder
from bulk_cancel.settings.environment import canonical_api

_MIB = 1024 * 1024
#: Bytes of free space below which a run fails, and below which a person is warned.
_TOO_LITTLE, _LITTLE = 16 * _MIB, 256 * _MIB


def check_ledger(place: LedgerPlace, url: str) -> Iterator[Check]:
    """Check the ledger, its lock, and the folder and the disk of one that is a file."""
    lost = tried("ledger", place.refuse_lost, "")
    if lost.level is Level.FAIL:
        yield lost
        return
    if isinstance(place, LedgerFile):
        folder = _nearest(place.path.parent)
        yield _check_folder(folder)
        yield _check_space(folder)
    yield from _check_content(place, place.path if isinstance(place, LedgerFile) else None, url)
    with suppress(BulkCancelError):
        yield check_lock("ledger lock", place.holder(), "the ledger")


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def _check_folder(folder: Path) -> Check:
    if not os.access(folder, os.W_OK | os.X_OK):
        advice = "Choose another place with --ledger, or mend the folder's permissions."
        return failed("folder", LedgerCreateError(f"{folder} may not be written.", advice=advice))
    return tried("folder", lambda: refuse_open_folder(folder), f"{folder} may be written.")


def _check_space(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free // _MIB:,} MiB are free for the ledger."
    if free < _TOO_LITTLE:
        return failed("disk", LedgerDiskError(found, advice="Make room before a run: an answer may not be recorded."))
    return good("disk", found) if free >= _LITTLE else warning("disk", found, "Make room before a large run.")


def _check_content(place: LedgerPlace, file: Path | None, url: str) -> Iterator[Check]:
    try:
        if not place.exists():
            none = f"There is none at {file}" if file else f"{place} answers; there is no ledger in it"
            yield good("ledger", f"{none} yet: the first run makes it.")
            return
        pages = file is not None and file.stat().st_size <= QUICK_CHECK_BYTES
        with place.reading() as ledger:
            health, bound, unknown = ledger.health(pages=pages), ledger.meta("api_url"), ledger.unknown_count()
    except BulkCancelError as error:
        yield failed("ledger", error)
        return
    if file is None:
        yield good("ledger", f"{place} opens: schema {health.schema}, {health.journal}.")
    else:
        yield _judge(file, health, pages=pages)
    if bound is not None and bound != canonical_api(url):
        what = f"The ledger {place} belongs to the API at {bound}, not to {url}."
        yield failed("ledger", ConfigError(what, advice="Name another --ledger, or correct MEETERGO_API_URL."))
    if file is not None and file.stat().st_mode & 0o077:
        yield warning("ledger mode", "Others may read the ledger.", f"chmod 600 '{file}'")
    if unknown:
        what = f"{counted(unknown, 'target has', 'targets have')} no known outcome."
        yield warning("unknown", what, "Type: bulk-cancel status")


def _judge(path: Path, health: Health, *, pages: bool) -> Check:
    if health.fault:
        advice = "Restore a backup made after the last run; `bulk-cancel ledger verify` tells more."
        return failed("ledger", LedgerError(f"The ledger {path} is damaged: {health.fault}.", advice=advice))
    size = f"{path} opens: schema {health.schema}, {path.stat().st_size / _MIB:,.1f} MiB, journal {health.journal}"
    if health.journal != "wal":
        return warning("ledger", f"{size}.", "The next run sets the journal to WAL: it needs a local disk.")
    if not pages:
        return good("ledger", f"{size}; too large to look at every page here: `bulk-cancel ledger verify` does.")
    return good("ledger", f"{size}; its pages are whole. Runs write it with full sync, each commit on disk.")


def check_lock(name: str, holder: Holder | None, what: str) -> Check:
    """Check whether a run holds a lock."""
    if holder is None:
        return good(name, f"No run holds {what}.")
    return warning(name, f"A run holds {what}: {holder}.", "Another one waits for it with --lock-wait 30m.")
