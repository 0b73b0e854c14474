"""Translates SQLite's errors into ours: what happened to which file, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from bulk_cancel.errors import LedgerDiskError, LedgerError, LockedError

DISK_ERRORS = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.NoLFSError, apsw.NoMemError)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors in the block into ours."""
    try:
        yield
    except DISK_ERRORS as error:
        raise LedgerDiskError(
            f"The disk refused the ledger {path}: {error}.",
            advice="Free some space, or mend the disk or the folder's permissions. Then run the same command again; "
            "it goes on where it stopped.",
        ) from error
    except apsw.CorruptError as error:
        raise damaged(path, str(error)) from error
    except UnicodeDecodeError as error:
        raise damaged(path, "a text in it is no UTF-8") from error
    except apsw.NotADBError as error:
        raise LedgerError(
            f"{path} is not a ledger of bulk-cancel: not an SQLite file.", advice="Name another --ledger."
        ) from error
    except (apsw.SQLError, apsw.SchemaChangeError, apsw.MismatchError) as error:
        raise damaged(path, f"its tables are not as this program made them ({error})") from error
    except apsw.BusyError as error:
        raise LockedError(
            f"Another program keeps the ledger {path} locked: {error}.",
            advice="Close what has it open (a database browser?), then run the same command again.",
        ) from error


def damaged(path: Path, what: str) -> LedgerError:
    """Return the error for a ledger that is damaged; `what` is a clause."""
    return LedgerError(
        f"The ledger {path} is damaged: {what}.",
        advice="Restore a backup made after the last run: an older one does not know what was sent since. "
        "`bulk-cancel ledger verify` tells whether it is whole.",
    )
