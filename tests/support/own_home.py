"""A home of its own for the test run, and a guard: what opens the user's real folders of this program fails there.

All files of the tests are in memory where there is enough: thousands of fsyncs that wait for a disk prove nothing here.
A plugin of the root conftest. The zygote has the guard, too, and its forks inherit it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Set
from pathlib import Path

import certifi
import platformdirs

_KINDS = {"XDG_STATE_HOME": ".local/state", "XDG_DATA_HOME": ".local/share", "XDG_CONFIG_HOME": ".config"}
_KINDS |= {"XDG_CACHE_HOME": ".cache", "XDG_RUNTIME_DIR": ".runtime"}
#: Hands the real folders on to the processes of pytest-xdist and to the zygote, whose HOME is the run's already.
_HANDED_ON = "TESTS_REAL_FOLDERS"
_TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.utime"}
_TOUCHES |= {"os.listdir", "os.scandir", "os.truncate", "sqlite3.connect", "shutil.rmtree"}


_MEMORY, _ENOUGH = Path("/dev/shm"), 2 << 30
_homes: list[Path] = []


def pytest_configure() -> None:
    """Set HOME and the XDG variables to a new folder, and guard the real ones."""
    os.environ.setdefault(_HANDED_ON, os.pathsep.join(sorted(_real_folders())))
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)
    home = Path(tempfile.mkdtemp(prefix="bulk-cancel-home-"))
    _homes.append(home)
    os.environ["HOME"] = str(home)
    for variable, folder in _KINDS.items():
        os.environ[variable] = str(home / folder)
        (home / folder).mkdir(mode=0o700, parents=True)
    os.environ["SSL_CERT_FILE"] = str(_one_authority(home))
    guard()


def pytest_unconfigure() -> None:
    for home in _homes:
        shutil.rmtree(home, ignore_errors=True)


def _one_authority(home: Path) -> Path:
    """Write a bundle of one certificate: reading a hundred takes a tenth of a short run, and nobody here shows one."""
    pem = Path(certifi.where()).read_text(encoding="utf-8")
    end = "-----END CERTIFICATE-----\n"
    file = home / "authorities.pem"
    file.write_text(pem.partition(end)[0] + end, encoding="utf-8")
    return file


def guard() -> None:
    """Raise AssertionError in this process, from now on, wherever one of the real folders is opened or changed."""
    folders = tuple(filter(None, os.environ.get(_HANDED_ON, "").split(os.pathsep)))

    def look(event: str, arguments: tuple[object, ...], touches: Set[str] = frozenset(_TOUCHES)) -> None:
        if event in touches and isinstance(arguments[0], str | os.PathLike):
            path = os.fspath(arguments[0])
            if isinstance(path, str) and path.startswith(folders):
                raise AssertionError(f"{event} of the user's real folder: {path}")

    if folders:
        sys.addaudithook(look)


def _real_folders() -> set[str]:
    """Return the folders that the program would use without the tests, by the environment and by the user's entry."""
    found = set(_platform_folders())
    kept = {name: os.environ.pop(name) for name in ("HOME", *_KINDS) if name in os.environ}
    os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    found.update(_platform_folders())
    del os.environ["HOME"]
    os.environ.update(kept)
    return found


def _platform_folders() -> list[str]:
    dirs = platformdirs.PlatformDirs("bulk-cancel", appauthor=False)
    return [dirs.user_state_dir, dirs.user_data_dir, dirs.user_config_dir, dirs.user_cache_dir]
