"""A plan file appears whole, for its owner only, or not at all; however many lines it has."""

from __future__ import annotations

import os
import resource
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_cancel.core.actions import Action
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.errors import Exit, PlanWriteError
from bulk_cancel.plan_files import open_plan, writing_plan
from bulk_cancel.plan_files.fields import MalformedError
from support.plans import ABOUT, NOW, ONE_OF_EACH, broken_off, line, many, row_of, write_plan


def names(folder: Path) -> set[str]:
    return {place.name for place in folder.iterdir()}


def test_only_the_owner_may_read_it(path: Path) -> None:
    write_plan(path, ABOUT, ONE_OF_EACH)
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path.parent) == {path.name}


def test_nothing_is_seen_before_the_end(path: Path) -> None:
    with writing_plan(path, ABOUT) as draft:
        draft.add(line(2))
        assert names(path.parent) == set()
        assert draft.digest == ""
    assert open_plan(path, now=NOW, expect_digest=draft.digest).header.rows == 1


def test_an_error_while_planning_leaves_what_was_there(path: Path) -> None:
    digest = write_plan(path, ABOUT, ONE_OF_EACH)
    with pytest.raises(OSError, match="no network"):
        write_plan(path, ABOUT, broken_off())
    assert open_plan(path, now=NOW).digest == digest
    assert names(path.parent) == {path.name}


def test_a_failed_sync_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = write_plan(path, ABOUT, ONE_OF_EACH)

    def fsync(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(PlanWriteError, match="Input/output error") as caught:
        write_plan(path, ABOUT, [line(2)])
    assert caught.value.exit_code is Exit.DISK
    monkeypatch.undo()
    assert open_plan(path, now=NOW).digest == digest
    assert names(path.parent) == {path.name}


def test_a_full_disk_is_told_plainly(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(PlanWriteError, match="cannot be written"):
            write_plan(path, ABOUT, (line(row) for row in range(2, 5000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(path.parent) == set()


@pytest.mark.parametrize("place", ["missing/closure.plan", "a-file/closure.plan", ""])
def test_a_plan_that_cannot_be_written_there_is_an_error_and_leaves_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(PlanWriteError, match="cannot be written"):
        write_plan(tmp_path / place, ABOUT, ONE_OF_EACH)
    assert names(tmp_path) == {"a-file"}


def test_a_link_is_replaced_and_not_followed(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    path.symlink_to(elsewhere)
    write_plan(path, ABOUT, ONE_OF_EACH)
    assert elsewhere.read_text() == "precious"
    assert not path.is_symlink()


@pytest.mark.parametrize(
    "lines",
    [
        [line(3), line(2)],
        [line(2), line(2)],
        [line(2, appointment_id=None)],
        [line(2, appointment_id="x")],
        [line(2, attendee_id=row_of(3).appointment_id, cancel_all=True)],
    ],
)
def test_a_line_that_could_not_be_read_again_is_not_written(path: Path, lines: list[PlanLine]) -> None:
    with pytest.raises(MalformedError):
        write_plan(path, ABOUT, lines)
    with pytest.raises(MalformedError):
        write_plan(path, replace(ABOUT, input_digest=""), ())
    assert names(path.parent) == set()


def test_a_plan_may_never_expire(path: Path) -> None:
    write_plan(path, replace(ABOUT, expires_at=1e18), ONE_OF_EACH)
    assert not open_plan(path, now=NOW + 1e9).header.expired(NOW + 1e9)


@pytest.mark.parametrize(
    ("count", "most"), [(3_000, 2_200_000), pytest.param(200_000, 4_000_000, marks=pytest.mark.long)]
)
def test_memory_stays_flat(path: Path, count: int, most: int) -> None:
    tracemalloc.start()
    try:
        write_plan(path, ABOUT, many(count))
        plan = open_plan(path, now=NOW)
        assert sum(len(rows) for rows in plan.rows(chunk=1000)) == count
        assert sum(approved.action is Action.SKIP for _, _, approved in plan.approved()) == count // 10
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 200 * count
    assert peak < most
