"""What a ledger's schema lacks, has beside its own, or has otherwise: a sentence for each, whatever the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bulk_cancel.core.text import shown
from bulk_cancel.errors import LedgerError

#: Kind and name → what it is, as far as it is compared.
Schema = Mapping[tuple[str, str], tuple[str, ...]]


def differences(found: Schema, ours: Schema) -> Iterator[str]:
    """Say what is missing, planted or changed, a clause each."""
    for kind, name in sorted(found.keys() | ours.keys()):
        what = f"the {shown(kind)} {shown(name)}"
        if (kind, name) not in ours:
            yield f"{what} is none of its own"
        elif (kind, name) not in found:
            yield f"{what} is missing"
        elif found[kind, name] != ours[kind, name]:
            yield f"{what} is another one"


def refuse(place: str, wrong: Iterable[str], how_to_restore: str) -> None:
    """Raise LedgerError when anything is wrong; `how_to_restore` is a clause."""
    if clauses := "; ".join(wrong):
        raise LedgerError(
            f"The ledger {place} was altered by something else than this program: {clauses}. "
            "Nothing was sent, and it was left as it is.",
            advice=f"What it says of earlier cancels cannot be trusted. {how_to_restore}, and run with --look each: it "
            "reads every appointment before its cancel.",
        )
