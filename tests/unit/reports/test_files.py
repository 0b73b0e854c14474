"""Files appear whole, together, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bulk_cancel.errors import Exit, ReportError
from bulk_cancel.reports import files
from bulk_cancel.reports.files import written_aside

NAMES = ["a.txt", "b.txt"]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_nothing_is_seen_before_all_is_written(tmp_path: Path) -> None:
    with written_aside(tmp_path, NAMES) as folder:
        (folder / "a.txt").write_text("new")
        assert not (tmp_path / "a.txt").exists()
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
    assert contents(tmp_path) == {"a.txt": "new"}
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(UnicodeEncodeError), written_aside(tmp_path, NAMES) as folder:
        (folder / "a.txt").write_text("half" + "ä" * 99, encoding="ascii")
    assert contents(tmp_path) == {"a.txt": "old"}


def test_a_failed_sync_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "b.txt").write_text("old")

    def fsync(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(ReportError, match="Input/output error") as caught, written_aside(tmp_path, NAMES) as folder:
        (folder / "a.txt").write_text("new")
    assert caught.value.exit_code is Exit.DISK
    assert contents(tmp_path) == {"a.txt": "old", "b.txt": "old"}


def test_everything_is_synced_before_the_first_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    sync, rename = os.fsync, Path.replace
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: (events.append("sync"), sync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda path, to: (events.append("rename"), rename(path, to)))
    with written_aside(tmp_path, NAMES) as folder:
        for name in NAMES:
            (folder / name).write_text("new")
    assert events == ["sync", "sync", "rename", "rename", "sync"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / "a.txt").symlink_to(elsewhere)
    with written_aside(tmp_path, NAMES) as folder:
        (folder / "a.txt").write_text("new")
    assert contents(tmp_path) == {"a.txt": "new", "elsewhere": "precious"}
    assert not (tmp_path / "a.txt").is_symlink()


@pytest.mark.process
def test_files_that_a_killed_process_left_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    code = (
        "import os, sys; from pathlib import Path; from bulk_cancel.reports.files import written_aside\n"
        "with written_aside(Path(sys.argv[1]), ['a.txt']) as folder:\n"
        "    (folder / 'a.txt').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_text() == "old"
    with written_aside(tmp_path, NAMES) as folder:
        assert list(folder.iterdir()) == []
        (folder / "b.txt").write_text("new")
    assert contents(tmp_path) == {"b.txt": "new"}


def test_two_writers_of_one_folder_wait_for_each_other(tmp_path: Path) -> None:
    inside = threading.Event()

    def second() -> None:
        with written_aside(tmp_path, NAMES) as folder:
            inside.set()
            (folder / "b.txt").write_text("second")

    thread = threading.Thread(target=second)
    with written_aside(tmp_path, NAMES) as folder:
        thread.start()
        assert not inside.wait(0.1)
        (folder / "a.txt").write_text("first")
    thread.join(10)
    assert contents(tmp_path) == {"b.txt": "second"}
