"""What holds personal data or authority is its owner's alone: no link, no stranger's file, modes 0600 and 0700."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest

from bulk_cancel.errors import ConfigError
from bulk_cancel.ops.locks import locked, locked_together
from bulk_cancel.ops.logs import logging_to
from bulk_cancel.ops.private_files import make_folder, open_to_append, replace_note, replaced
from bulk_cancel.reports.files import written_aside
from bulk_cancel.reports.rebooking import REBOOKING, rebooking_list

UMASKS = [0o000, 0o022, 0o777]


@pytest.fixture(params=UMASKS, ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    old = os.umask(request.param)
    yield
    os.umask(old)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def lock(path: Path) -> None:
    with locked(path, "it"):
        pass


def lock_together(path: Path) -> None:
    with locked_together(path, "it", "we"):
        pass


def report(path: Path) -> None:
    with written_aside(path.parent, [path.name]) as aside:
        (aside / path.name).write_text("new")


def rebook(path: Path) -> None:
    with rebooking_list(path.parent, UTC):
        pass


def log(path: Path) -> None:
    with logging_to("auto", path) as bound:
        bound.info("an.event")


#: Each of these makes its file and its folders.
WRITERS: dict[str, Callable[[Path], None]] = {
    "x.lock": lock,
    "together.lock": lock_together,
    "results.csv": report,
    REBOOKING: rebook,
    "full.log": log,
    "note": lambda path: replace_note(path, "new"),
}
writers = pytest.mark.parametrize("name", WRITERS)
adders = pytest.mark.parametrize("name", [REBOOKING, "full.log"])


@writers
@pytest.mark.usefixtures("_umask")
def test_every_folder_and_file_is_private_under_any_umask(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / "a" / "b" / name)
    made = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert made
    assert {path.name: oct(mode(path)) for path in made if mode(path) != 0o600} == {}
    assert [mode(tmp_path / folder) for folder in ("a", "a/b")] == [0o700, 0o700]


@writers
def test_a_folder_into_which_everybody_may_write_is_refused_before_anything_is_in_it(name: str, tmp_path: Path) -> None:
    open_one = tmp_path / "open"
    open_one.mkdir()
    open_one.chmod(0o777)
    for folder in (open_one, open_one / "deeper"):
        with pytest.raises(ConfigError, match="Everybody may write into") as refused:
            WRITERS[name](folder / name)
        assert refused.value.advice.endswith(f"chmod o-w '{open_one}'")
    assert list(open_one.iterdir()) == []


def test_a_folder_can_be_made_in_a_sticky_one_such_as_tmp(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert make_folder(tmp_path / "a" / "b") == [tmp_path / "a" / "b", tmp_path / "a"]
    assert make_folder(tmp_path / "a" / "b") == []


@adders
@pytest.mark.parametrize("kind", ["link", "link to nothing", "hard link", "pipe"])
def test_nothing_is_added_through_a_link_or_a_pipe(name: str, kind: str, tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "out" / name
    path.parent.mkdir()
    if kind != "link to nothing":
        elsewhere.write_text("mine")
    {"hard link": lambda: path.hardlink_to(elsewhere), "pipe": lambda: os.mkfifo(path)}.get(
        kind, lambda: path.symlink_to(elsewhere)
    )()
    with pytest.raises(ConfigError, match=f"{name} is a link, or no file"):
        WRITERS[name](path)
    assert not elsewhere.exists() or elsewhere.read_text() == "mine"


@adders
def test_nothing_is_added_to_a_strangers_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    path.write_text("planted\n")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match=f"{name} belongs to another user"):
        WRITERS[name](path)
    assert path.read_text() == "planted\n"


@adders
def test_a_file_of_ours_that_others_may_read_is_closed_to_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("before\n")
    path.chmod(0o666)
    WRITERS[name](path)
    assert mode(path) == 0o600
    assert path.read_text().startswith("before\n")


@pytest.mark.parametrize("name", ["x.lock.holder", "results.csv", "note"])
def test_a_link_is_replaced_and_not_followed(name: str, tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / name
    elsewhere.write_text("mine")
    path.symlink_to(elsewhere)
    WRITERS[name.removesuffix(".holder")](tmp_path / name.removesuffix(".holder"))
    assert elsewhere.read_text() == "mine"
    assert not path.is_symlink()
    assert mode(path) == 0o600


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_pipe_or_a_device_is_not_replaced_by_a_file(is_linked: bool, tmp_path: Path) -> None:
    pipe, named = tmp_path / "pipe", tmp_path / "link" if is_linked else tmp_path / "pipe"
    os.mkfifo(pipe)
    if is_linked:
        named.symlink_to(pipe)  # as /dev/stdout is one
    with pytest.raises(ConfigError, match=f"{named} is a device or a pipe"):
        replace_note(named, "new")
    assert named.is_symlink() == is_linked
    assert pipe.is_fifo()
    assert {*tmp_path.iterdir()} == {pipe, named}


def test_a_failed_replacement_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), replaced(path) as file:
        file.writelines(text.encode("ascii") for text in ("ne", "ü"))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_lines_are_on_their_way_as_they_are_written(tmp_path: Path) -> None:
    with open_to_append(tmp_path / "a") as file:
        file.write("one\n")
        assert (tmp_path / "a").read_text() == "one\n"
