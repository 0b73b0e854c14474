"""What reading a file takes at most, told by a process that reads nothing else."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bulk_cancel.errors import InputError
from bulk_cancel.inputs import InputOptions, stage_input


def megabytes_to_read(path: Path | str, folder: Path) -> int:
    """Return the peak of this process's memory after it has read the file or refused it."""
    with suppress(InputError):
        stage_input(str(path), InputOptions({}, None, False, hidden_rows="skip"), folder / "s")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10
