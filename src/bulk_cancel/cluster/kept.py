"""What the processes of a run keep for each other in the ledger, and how it is known as theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bulk_cancel.errors import ConfigError


@contextmanager
def of_ours(what: str) -> Iterator[None]:
    """Read what was kept. Raises ConfigError for what this program did not write there; `what` begins its sentence."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"{what} in the ledger is none of this program's.",
            advice="Was it changed by hand? `bulk-cancel ledger verify` tells what else is wrong.",
        ) from error
