"""The platforms: Linux, where it is tested, and macOS, which behaves alike. Imports nothing heavy."""

from __future__ import annotations

import sys

from bulk_cancel.errors import ConfigError


def refuse_windows() -> None:
    """Raise ConfigError on Windows: its locks, signals and file modes differ, and the promises depend on them."""
    if sys.platform == "win32":
        raise ConfigError(
            "bulk-cancel does not run on Windows: it could not keep its promises there. Nothing was done.",
            advice="Run it in WSL (wsl --install), in a container, or on Linux or macOS.",
        )
