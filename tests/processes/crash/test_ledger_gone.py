"""The ledger's file is deleted or replaced during a run: the run halts, nothing more is sent."""

from __future__ import annotations

import os
import shutil

import pytest

from processes.crash.conftest import MakeLab
from support.lab import Lab

LONG = pytest.mark.long
#: Appends so far: the question that precedes all, the page of the list, then an intent and an outcome for each row.
THIRD_INTENT = "before append:7"
#: The same where two of the rows are done already: the second outcome of this run.
FOURTH_OUTCOME = "before append:6"


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(concurrency="1")


@pytest.mark.parametrize("act", ["remove", "exchange"])
@pytest.mark.parametrize("file", ["ledger.db", pytest.param("ledger.db-wal", marks=LONG)])
def test_a_run_whose_ledger_is_taken_away_halts(lab: Lab, act: str, file: str) -> None:
    ended = lab.run({THIRD_INTENT: f"{act} {lab.folder / file}"})
    assert ended.code == 78
    assert lab.posts == 2
    assert "moved, deleted or replaced while in use" in ended.stderr
    assert "Put it back" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_answer_that_comes_after_it_is_told(lab: Lab) -> None:
    ended = lab.run({"before cancel:3": f"remove {lab.ledger}"})
    assert ended.code == 78
    assert lab.posts == 3
    assert "NOT RECORDED" in ended.stderr


@pytest.mark.parametrize("file", ["ledger.db", pytest.param("ledger.db-wal", marks=LONG)])
def test_a_file_that_is_cut_in_place_halts_the_run(lab: Lab, file: str) -> None:
    ended = lab.run({THIRD_INTENT: f"overwrite {lab.folder / file} {os.devnull}"})
    assert (ended.code, lab.posts) == (78, 2)
    assert "replaced while in use" in ended.stderr
    ended = lab.run()
    assert (ended.code, lab.posts) == (78, 2)
    assert "bug" not in ended.stderr


@pytest.mark.parametrize("wal_is_left", [True, False])
def test_an_older_copy_that_is_put_back_during_a_run_halts_it_and_cancels_nothing_twice(
    lab: Lab, *, wal_is_left: bool
) -> None:
    older = lab.folder / "older.db"
    ids = list(lab.sandbox.world.appointments)
    lab.write_input(ids[:2])
    assert lab.run().code == 0
    shutil.copyfile(lab.ledger, older)
    lab.write_input(ids)
    ended = lab.run({FOURTH_OUTCOME: f"overwrite {lab.ledger} {older}"})
    assert (ended.code, lab.posts) == (78, 4)
    assert "replaced while in use" in ended.stderr
    assert "bug" not in ended.stderr
    if wal_is_left:  # it has all that the copy lacks
        lab.until_done()
        assert lab.posts == 6
        return
    lab.folder.joinpath("ledger.db-wal").unlink()
    ended = lab.run()
    assert (ended.code, lab.posts) == (78, 4)
    assert "the newest 3 of its 7 events are missing" in ended.stderr


@pytest.mark.parametrize("how", [pytest.param("cp", marks=LONG), "mv"])
def test_the_main_file_alone_of_a_killed_run_is_refused_with_what_is_missing(lab: Lab, how: str) -> None:
    lab.run({THIRD_INTENT: "kill"})
    other = lab.folder / "other.db"
    {"cp": shutil.copyfile, "mv": shutil.move}[how](lab.ledger, other)
    ended = lab.run(ledger=str(other))
    assert (ended.code, lab.posts) == (78, 2)
    assert "the newest 4 of its 4 events are missing" in ended.stderr
    assert "other.db-wal" in ended.stderr
    if how == "mv":
        other.rename(lab.ledger)
    lab.check_converges()


def test_a_missing_ledger_is_reported_and_begun_anew_only_after_ledger_forget(lab: Lab) -> None:
    assert lab.run().code == 0
    lab.ledger.unlink()
    for command in (["run", "--yes"], ["plan"]):
        ended = lab.command(*command, str(lab.input), "--ledger", str(lab.ledger))
        assert (ended.code, lab.posts) == (78, 6)
        assert "is gone: this machine has seen 12 events of it" in ended.stderr
    forgotten = lab.command("ledger", "forget", "--ledger", str(lab.ledger))
    assert "12 events are forgotten" in forgotten.stdout
    assert lab.run(look="each").code == 0
    assert lab.posts == 6


def test_a_ledger_that_is_gone_is_not_begun_anew_beside_its_journal(lab: Lab) -> None:
    lab.run({THIRD_INTENT: "kill"})
    lab.ledger.unlink()
    ended = lab.run()
    assert ended.code == 78
    assert "still holds a part of its history" in ended.stderr
    assert lab.posts == 2
