"""Writes data to stdout. Imports nothing that takes time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bulk_cancel.errors import BulkCancelError, OutputError

if TYPE_CHECKING:
    from datetime import tzinfo

    from bulk_cancel.access.ledgers import LedgerPlace
    from bulk_cancel.access.machine import Machine
    from bulk_cancel.core.selection import Selection


def put_out(text: str) -> None:
    """Write data to stdout. Raises OutputError when it is closed or full; ledger and files are complete by then."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise OutputError(f"stdout cannot be written: {error.strerror}.") from error


def put_document(document: Mapping[str, Any]) -> None:
    """Write one versioned JSON document. It is ASCII: it goes to terminals of any encoding."""
    put_out(json.dumps({"schema_version": 1, **document}, indent=2) + "\n")


def selection_document(selection: Selection) -> dict[str, Any]:
    """Return what a search selects, for JSON."""
    days = selection.days
    names = {"from": days.first.isoformat(), "to": days.last.isoformat(), "timezone": str(days.zone)}
    return {**names, "selection": selection.document()}


@contextmanager
def errors_told(*, as_json: bool | None) -> Iterator[None]:
    """With --json, write an error in the block to stdout as well, as a JSON document."""
    try:
        yield
    except BulkCancelError as error:
        if as_json:
            put_document({"error": str(error), "advice": error.advice, "exit_code": int(error.exit_code)})
        raise


def this_machine() -> Machine:
    """Return this machine."""
    from bulk_cancel.access.machine import Machine

    return Machine(os.environ, arguments=sys.argv[1:])


def zone_given(name: str | None) -> tzinfo | None:
    """Return the zone for times, by the option or the variable; None without one."""
    from bulk_cancel.settings.environment import named_zone

    return named_zone(name, os.environ)


def place_of(given: str | None) -> LedgerPlace:
    """Return the place of the ledger for a command without a job."""
    from bulk_cancel.access import setup

    return setup.place_of(given, this_machine())
