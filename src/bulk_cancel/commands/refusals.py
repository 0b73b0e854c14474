"""Remembers the newest command that was refused or broke off, for `status`: the ledger has no record of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bulk_cancel.access.ledgers import LedgerFile, LedgerPlace
from bulk_cancel.access.machine import Machine
from bulk_cancel.errors import ConfigError, Exit
from bulk_cancel.ops.private_files import replace_note

_API: Final = "MEETERGO_API_URL="
_TO_CORRECT: Final[Mapping[Exit, str]] = MappingProxyType(
    {
        Exit.USAGE: "the command line",
        Exit.BAD_INPUT: "the input, or how it is read",
        Exit.NO_INPUT: "the name of the input",
        Exit.CANNOT_CREATE: "the place of the ledger",
        Exit.CONFIG: "the setting",
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that sent nothing, or whose run broke off."""

    began: float  #: seconds since the epoch, by this machine's clock
    at: float  #: likewise
    exit_code: Exit
    why: str  #: sentences, without data of people
    command: str  #: as it is typed, without secrets; empty: a Python program used the library
    declined: bool = False  #: the person who was asked said no

    @property
    def correct_first(self) -> str:
        """What to correct before it is typed again, since the same words would be refused again; empty: nothing."""
        if self.exit_code is Exit.UNREACHABLE and _API in self.command:
            return "the address of the API"
        return _TO_CORRECT.get(self.exit_code, "")


def note_refusal(place: LedgerPlace, machine: Machine, refusal: Refusal) -> None:
    """Save a refusal on this machine in place of the last one. Errors are ignored: nothing depends on it."""
    with suppress(OSError, ConfigError):
        replace_note(_note(place, machine), json.dumps(asdict(refusal)))


def newest_refusal(place: LedgerPlace, machine: Machine) -> Refusal | None:
    """Return the saved refusal for a ledger; None without one."""
    with suppress(OSError):
        return read_refusal(_note(place, machine).read_bytes())
    return None


def read_refusal(note: bytes) -> Refusal | None:
    """Parse a saved refusal; None when this program did not write it."""
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        found = json.loads(note)
        times = float(found["began"]), float(found["at"])
        if all(map(isfinite, times)):
            why, command, declined = str(found["why"]), str(found["command"]), found.get("declined") is True
            return Refusal(*times, Exit(found["exit_code"]), why, command, declined)
    return None


def _note(place: LedgerPlace, machine: Machine) -> Path:
    name = str(place.path.absolute() if isinstance(place, LedgerFile) else place)
    return machine.state_folder / "refused" / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
