"""`find`: search appointments and write what was found as an input file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.errors import UsageError


@dataclass(frozen=True, slots=True)
class FindOutput:
    """What to put where."""

    out: Path | None = None  #: None: CSV on stdout
    with_cancelled: bool = False
    with_contacts: bool = False
    force: bool = False  #: replace a file that is there

    def file_for(self, *, complete: bool) -> Path | None:
        """Return the file to write: what may lack appointments must not look whole to the next command."""
        if complete or self.out is None:
            return self.out
        return self.out.with_name(f"{self.out.stem}.incomplete{self.out.suffix}")

    def refuse_overwriting(self) -> None:
        """Raise UsageError when a file is there that would be replaced."""
        for complete in (True, False):
            file = self.file_for(complete=complete)
            if file is not None and file.exists() and not self.force:
                raise UsageError(
                    f"{file} is there already.",
                    advice="Name another file, or replace it with --force. Nothing was read.",
                )
