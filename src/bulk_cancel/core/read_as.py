"""How an input was read: which column holds which field, and what rows get where they say nothing.

It is kept in the metadata of the snapshot, so that a correction file can say by itself what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from bulk_cancel.core.columns import ACCOUNT, CORRECTION_HEADERS, FIELDS, columns_like

#: Key under which the metadata of a snapshot holds it.
READ_AS: Final = "bulk_cancel_read_as"


@dataclass(frozen=True, slots=True)
class ReadAs:
    """The columns of the fields, and the defaults."""

    columns: Mapping[str, str] = field(default_factory=dict)  #: field -> column
    reason: str | None = None
    cancel_all: bool = False
    accounts: bool = False  #: rows have accounts
    account: str = ""  #: for rows without one
    aliases: Mapping[str, str] = field(default_factory=dict)  #: what `--map` called a column of a correction file -> it

    def as_text(self) -> str:
        """Return it as a text that `read_as_of` reads."""
        return json.dumps(asdict(self))


def read_as_of(text: str | None, columns: Collection[str]) -> ReadAs:
    """Return what a text of `as_text` describes; without one, what the names of the columns say."""
    try:
        found = ReadAs(**json.loads(text or ""))
    except (ValueError, TypeError, RecursionError):
        found = None
    if found is not None and _is_ours(found):
        return found
    likely = {name: columns_like(name, columns) for name in FIELDS}
    return ReadAs({name: like[0] for name, like in likely.items() if like})


def _is_ours(found: ReadAs) -> bool:
    maps = (found.columns, found.aliases)
    texts = (
        found.reason or "",
        found.account,
        *(text for one in maps if isinstance(one, dict) for text in one.values()),
    )
    flags = (found.cancel_all, found.accounts)
    return (
        all(isinstance(one, dict) for one in maps)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(flag, bool) for flag in flags)
    )


def is_correction_file(columns: Collection[str]) -> bool:
    """Return whether an input with these columns is a correction file of ours, whose rows say what was asked."""
    return {*FIELDS, *CORRECTION_HEADERS} - {ACCOUNT} <= {*columns}
