"""The platforms: Linux, where it is tested, and macOS, which behaves alike. Imports nothing heavy."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from bulk_cancel.errors import ConfigError, UsageError


def refuse_windows() -> None:
    """Raise ConfigError on Windows: its locks, signals and file modes differ, and the promises depend on them."""
    if sys.platform == "win32":
        raise ConfigError(
            "bulk-cancel does not run on Windows: it could not keep its promises there. Nothing was done.",
            advice="Run it in WSL (wsl --install), in a container, or on Linux or macOS.",
        )


def refuse_unreadable(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Refuse words of a command line, and folders it works in, that are no UTF-8: neither SQLite nor Polars opens them.

    Raises UsageError for a word, ConfigError for the current folder and those of the user.
    """
    for word in words:
        if (shown := _shown(word)) != word:
            raise UsageError(f"{shown} {_NO_TEXT}", advice="Nothing was sent. Give the file another name.")
    here = ""
    with suppress(OSError):
        here = os.getcwd()  # noqa: PTH109 - a word, not yet a path
    for what, folder in {
        "The current folder": here,
        "HOME": environ.get("HOME", ""),
        "XDG_STATE_HOME": environ.get("XDG_STATE_HOME", ""),
    }.items():
        if (shown := _shown(folder)) != folder:
            raise ConfigError(f"{what}, {shown}, {_NO_TEXT}", advice="Nothing was sent. Work in another one.")


_NO_TEXT = "is not UTF-8 (or the locale is not: LANG=C.UTF-8 helps then), and cannot be used."


def _shown(word: str) -> str:
    """Return a word with question marks for what is no UTF-8; any other word is as it was."""
    return word.encode("utf-8", "replace").decode()
