"""Compares a ledger's schema with the one that this program makes, for both databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bulk_cancel.core.text import shown
from bulk_cancel.errors import LedgerError

#: Kind and name → definition, as far as it is compared.
Schema = Mapping[tuple[str, str], tuple[str, ...]]


def differences(found: Schema, ours: Schema) -> Iterator[str]:
    """Yield a clause for each object that is missing, added or changed."""
    for kind, name in sorted(found.keys() | ours.keys()):
        what = f"the {shown(kind)} {shown(name)}"
        if (kind, name) not in ours:
            yield f"{what} is not one of its own"
        elif (kind, name) not in found:
            yield f"{what} is missing"
        elif found[kind, name] != ours[kind, name]:
            yield f"{what} is different"


def refuse(place: str, wrong: Iterable[str], how_to_restore: str) -> None:
    """Raise LedgerError when anything is wrong; `how_to_restore` is a clause."""
    if clauses := "; ".join(wrong):
        raise LedgerError(
            f"The ledger {place} was altered, not by this program: {clauses}. "
            "Nothing was sent, and it was left as it is.",
            advice=f"Its record of earlier cancels cannot be trusted. {how_to_restore}, and run with --look each, "
            "which reads every appointment before its cancel.",
        )
