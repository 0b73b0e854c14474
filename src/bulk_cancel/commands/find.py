"""`find`: search appointments and write what was found as an input file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FindOutput:
    """What to put where."""

    out: Path | None = None  #: None: CSV on stdout
    with_cancelled: bool = False
    with_contacts: bool = False
