"""Where the program runs, and what it says elsewhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import bulk_cancel
from bulk_cancel.cli.main import main
from bulk_cancel.errors import ConfigError, Exit
from bulk_cancel.ops.platforms import refuse_unreadable, refuse_windows


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


LATIN_1 = os.fsdecode(b"B\xfcro")


def test_a_word_that_is_not_utf_8_is_a_sentence_and_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As file names from old archives are."""
    monkeypatch.setattr(sys, "argv", ["bulk-cancel", "plan", f"{LATIN_1}.csv"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.USAGE
    assert "B?ro.csv is not UTF-8" in capsys.readouterr().err


def test_words_of_any_language_are_taken() -> None:
    refuse_unreadable(["Büro ☃.csv", "北京"], {"HOME": "/home/jürgen"})


@pytest.mark.parametrize("name", ["HOME", "XDG_STATE_HOME"])
def test_a_folder_of_the_user_that_is_not_utf_8_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}, /home/B.ro, is not UTF-8"):
        refuse_unreadable([], {name: f"/home/{LATIN_1}"})


def test_a_current_folder_that_is_not_utf_8_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LATIN_1).mkdir()
    monkeypatch.chdir(tmp_path / LATIN_1)
    with pytest.raises(ConfigError, match=r"^The current folder, .*B.ro, is not UTF-8"):
        refuse_unreadable([], {})
