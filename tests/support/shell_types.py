"""Names for annotations in tests; the fixtures themselves are in the conftest files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Result(Protocol):
    """What a command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]: ...


class Shell(Protocol):
    """Runs bulk-cancel in a folder of its own."""

    folder: Path
    environ: dict[str, str]

    def __call__(self, *words: str | Path, stdin: str | None = None, **environ: str) -> Result: ...

    def run(self, source: str | Path, *words: str, stdin: str | None = None) -> Result: ...

    def rows(self, name: str) -> list[dict[str, str]]: ...
