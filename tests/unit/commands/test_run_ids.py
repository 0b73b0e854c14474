"""Runs of one second may draw the same number: each has an id, and a folder of results, of its own all the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_cancel.commands.resolve import Decision, resolve
from bulk_cancel.core.states import Event
from bulk_cancel.errors import Exit
from support import given
from support.given import uuid
from support.office import Office


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.chdir(tmp_path)
    office = Office(tmp_path)
    office.write(1)
    return office


def in_the_same_second(office: Office) -> None:
    """The next command draws the numbers that the last one drew."""
    office.played.now = 0.0
    office.played.machine = replace(office.played.machine, jitter=random.Random(7))


def decide(office: Office) -> None:
    resolve(office.setup().place, office.played.machine, uuid(0), Decision(True, "Ada", "seen"), 600.0)


COMMANDS = {"run": lambda office: office.run("closure.csv"), "reconcile": Office.reconcile, "resolve": decide}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_an_id_that_a_run_of_the_ledger_has_is_not_taken_again(
    office: Office, command: Callable[[Office], object]
) -> None:
    taken = office.played.machine.new_run_id()
    with office.setup().place.alone() as ledger:
        run_no = given.staged(ledger, given.row(2, 0), run_id=taken)
        given.move(ledger, run_no, given.target(ledger, 0), Event.INTENT, Event.NO_PROOF)
    in_the_same_second(office)
    command(office)
    with office.setup().place.reading() as ledger:
        new, old = (run.run_id for run in ledger.runs())
    assert old == taken
    assert new != taken
    assert new[:15] == taken[:15]


def test_runs_of_two_ledgers_do_not_share_a_folder_of_results(office: Office) -> None:
    summaries = []
    for ledger in ("one.db", "other.db"):
        in_the_same_second(office)
        summaries.append(office.run("closure.csv", out=None, ledger=ledger))
    assert [one.exit_code for one in summaries] == [Exit.OK, Exit.OK]
    assert sorted(folder.name for folder in Path("runs").iterdir()) == sorted(one.run_id for one in summaries)
