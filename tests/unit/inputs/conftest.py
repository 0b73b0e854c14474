"""Builders shared by the tests of the inputs."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bulk_cancel.core.model import InputRow
from bulk_cancel.inputs import InputOptions, StagedInput, read_rows, stage_input

#: Synthetic ids, readable in a failing test: uuid(7) ends in 7.
UUID = "3f2b8c1e-0000-4000-8000-{:012x}"


@pytest.fixture
def uuid() -> Callable[[int], str]:
    return UUID.format


class Staging:
    """Stages inputs in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.snapshot = folder / "snapshot.parquet"

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def stage(
        self, source: Path | str, *, cancel_all: bool = False, default_reason: str = "", **mapping: str
    ) -> StagedInput:
        return stage_input(str(source), InputOptions(mapping, default_reason or None, cancel_all), self.snapshot)

    def rows(
        self, source: Path | str, *, cancel_all: bool = False, default_reason: str = "", **mapping: str
    ) -> list[InputRow]:
        staged = self.stage(source, cancel_all=cancel_all, default_reason=default_reason, **mapping)
        return [row for rows in read_rows(staged) for row in rows]

    def csv_rows(self, content: bytes | str, **options: str) -> list[InputRow]:
        return self.rows(self.file("input.csv", content), **options)  # type: ignore[arg-type]


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path)


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def feed(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    return feed


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parents[3] / "sample_inputs" / "formats"
