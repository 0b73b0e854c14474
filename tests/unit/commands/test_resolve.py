"""A person settles any target by its name alone; a decision that is refused leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.commands.resolve import Decision, resolve
from bulk_cancel.commands.status import RunPhase, look_over
from bulk_cancel.core.states import Event, State
from bulk_cancel.core.target_name import target_name
from bulk_cancel.errors import UsageError
from support import given
from support.given import uuid
from support.office import Office

ROWS = (given.row(2, 1), given.row(3, 1, entire_series=True), given.row(4, 1, attendee_id=uuid(9)))
NAMES = (f"{uuid(1)}/whole", f"{uuid(1)}/series", f"{uuid(1)}/{uuid(9)}")
YES, NO = Decision(True, "Ada", "seen"), Decision(False, "Ada", "seen")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def sent(office: Office, *rows: object, events: tuple[Event, ...] = (Event.INTENT, Event.NO_PROOF)) -> None:
    """A run sent its rows, and nothing proves what came of it."""
    with office.setup().place.alone() as ledger:
        run_no = given.staged(ledger, *rows)
        for work in ledger.find_targets(uuid(1)):
            given.move(ledger, run_no, work, *events)


def told(office: Office, name: str, decision: Decision = YES) -> str:
    return target_name(resolve(office.setup().place, office.played.machine, name, decision, 600.0).target)


def states(office: Office) -> dict[str, State]:
    with office.setup().place.reading() as ledger:
        return {target_name(work.target): work.state for work in ledger.find_targets(uuid(1))}


@pytest.mark.parametrize("name", NAMES)
def test_each_of_several_targets_of_an_appointment_is_settled_alone(office: Office, name: str) -> None:
    sent(office, *ROWS)
    with pytest.raises(UsageError) as caught:
        told(office, uuid(1))
    assert all(f"{one}," in f"{caught.value}," or f"{one}." in str(caught.value) for one in NAMES)
    assert told(office, name) == name
    assert states(office) == dict.fromkeys(NAMES, State.UNKNOWN) | {name: State.CANCELLED}


def test_the_only_unknown_target_of_an_appointment_is_named_by_the_id(office: Office) -> None:
    sent(office, given.row(2, 1))
    assert told(office, uuid(1)) == f"{uuid(1)}/whole"


@pytest.mark.parametrize(("name", "decision"), [(uuid(1), NO), (uuid(5), YES)], ids=["too early", "not in the ledger"])
def test_a_decision_that_is_refused_begins_no_run(office: Office, name: str, decision: Decision) -> None:
    sent(office, given.row(2, 1))
    with pytest.raises(UsageError):
        told(office, name, decision)
    seen = look_over(office.setup().place, office.played.machine, 20)
    assert [one.record.run_id for one in seen.runs] == ["run-1"]


def test_what_a_killed_run_left_on_its_way_is_unknown_before_a_person_decides(office: Office) -> None:
    sent(office, given.row(2, 1), events=(Event.INTENT,))
    with pytest.raises(UsageError, match="too early"):
        told(office, uuid(1), NO)
    assert states(office) == {f"{uuid(1)}/whole": State.UNKNOWN}
    seen = look_over(office.setup().place, office.played.machine, 20)
    assert [(one.phase, one.said) for one in seen.runs[:1]] == [
        (RunPhase.ENDED, "What a killed run left on its way was noted as unknown.")
    ]
    assert told(office, uuid(1)) == f"{uuid(1)}/whole"
    assert states(office) == {f"{uuid(1)}/whole": State.CANCELLED}
