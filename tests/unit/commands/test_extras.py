"""Commands where an extra is not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_cancel.sandbox.server import Sandbox
from support.find import Result
from support.plans import uuid


@pytest.mark.parametrize("words", [("run", "a.csv", "--yes", "--excel"), ("report", "--excel")])
def test_without_the_extra_nothing_is_sent_or_written(
    words: tuple[str, ...], command: Callable[..., Result], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.csv").write_text(f"id,reason\n{uuid(1)},Closed\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    refused = command(*words, "--ledger", "l.db")
    assert refused.code == 78
    assert 'pip install ".[excel]"' in refused.stderr
    assert not Path("l.db").exists()
    assert not sandbox.arrivals()
