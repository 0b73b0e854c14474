"""What goes to stdout: data, and nothing else. Imports nothing that takes time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bulk_cancel.errors import BulkCancelError, OutputError

if TYPE_CHECKING:
    from bulk_cancel.access.ledgers import LedgerPlace


def put_out(text: str) -> None:
    """Write data to stdout. Raises OutputError when it is gone or full; the ledger and the files are safe by then."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise OutputError(f"stdout cannot be written: {error.strerror}.") from error


def put_document(document: Mapping[str, Any]) -> None:
    """Write one versioned JSON document. It is ASCII: it goes to terminals of any encoding."""
    put_out(json.dumps({"schema_version": 1, **document}, indent=2) + "\n")


@contextmanager
def errors_told(*, as_json: bool) -> Iterator[None]:
    """With --json an error is one JSON document on stdout as well."""
    try:
        yield
    except BulkCancelError as error:
        if as_json:
            put_document({"error": str(error), "advice": error.advice, "exit_code": int(error.exit_code)})
        raise


def place_of(given: str | None) -> LedgerPlace:
    """Return the ledger that is meant."""
    from bulk_cancel.access.ledgers import ledger_place
    from bulk_cancel.settings.environment import api_url

    return ledger_place(given or os.environ.get("BULK_CANCEL_LEDGER"), api_url(os.environ))
