"""Reads data that the processes of a run keep for each other in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bulk_cancel.errors import ConfigError


@contextmanager
def of_ours(what: str) -> Iterator[None]:
    """Raise ConfigError for data in the block that this program did not write; `what` begins its sentence."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"{what} in the ledger was not written by this program.",
            advice="Was it changed by hand? `bulk-cancel ledger verify` tells what else is wrong.",
        ) from error
