"""Where the program runs, and what it says elsewhere."""

from __future__ import annotations

import sys

import pytest

import bulk_cancel
from bulk_cancel.cli.main import main
from bulk_cancel.errors import ConfigError, Exit
from bulk_cancel.ops.platforms import refuse_windows


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_linux_and_macos_are_not_refused(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    refuse_windows()


def test_on_windows_a_command_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "argv", ["bulk-cancel", "version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.CONFIG
    told = capsys.readouterr()
    assert "does not run on Windows" in told.err
    assert "WSL" in told.err
    assert told.out == ""


def test_on_windows_a_program_is_refused_before_anything_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delitem(vars(bulk_cancel), "run", raising=False)
    with pytest.raises(ConfigError, match="Windows"):
        _ = bulk_cancel.run
