"""The sample input and the demo's world belong together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from bulk_cancel.sandbox.demo_data import DEMO_FAULTS, demo_options, demo_world
from bulk_cancel.sandbox.faults import parse_faults
from bulk_cancel.sandbox.world import Kind
from support.office_sample import demo_csv, demo_rows

SAMPLE = Path(__file__).parents[3] / "sample_inputs" / "office_closure.csv"


def test_the_sample_input_is_what_the_demo_says():
    """Write it with: PYTHONPATH=tests .venv/bin/python -m support.office_sample > sample_inputs/office_closure.csv"""
    assert SAMPLE.read_text(encoding="utf-8") == demo_csv()


def test_faulty_answers_are_for_rows_of_the_sample():
    ids = {row["appointment_id"] for row in demo_rows()}
    targets = {fault.target for fault in parse_faults(DEMO_FAULTS)}
    assert len(targets) == 2
    assert targets <= ids


def test_the_demo_has_rows_of_every_kind():
    world = demo_world()
    ids = Counter(row["appointment_id"] for row in demo_rows())
    uuids = {id_ for id_ in ids if is_uuid(id_)}
    assert sum(ids.values()) == 57
    assert len([id_ for id_, times in ids.items() if times > 1]) == 2
    assert ids.keys() - uuids == {"", "not-a-uuid"}
    assert len(uuids - world.appointments.keys()) == 1
    kinds = Counter(world.appointments[id_].kind for id_ in uuids if id_ in world.appointments)
    assert kinds.keys() == set(Kind)
    assert (kinds[Kind.CANCELLED], kinds[Kind.GROUP]) == (2, 3)
    assert len([row for row in demo_rows() if len(row["reason"]) > 500]) == 1
    assert len({row["customer_ref"] for row in demo_rows()}) == 57


@pytest.fixture
def accepted(sandbox, cancel):
    """The statuses of the sample's rows when each is sent as it stands."""
    sandbox.reset(demo_options())
    sandbox.set_faults("")
    return Counter(
        cancel(row["appointment_id"], **body_of(row)).status_code for row in demo_rows() if row["appointment_id"]
    )


def test_the_api_answers_the_rows_as_the_demo_promises(sandbox, accepted):
    assert accepted == {201: 48, 400: 7, 404: 1}
    truth = sandbox.truth()
    assert truth.doubled == ()
    assert len(truth.applied) == 48 + 3
    assert sum("/" in target for target in truth.applied) == 1


def body_of(row):
    return {
        name: value
        for name, value in {
            "reason": row["reason"],
            "attendeeId": row["attendee_id"],
            "cancelAll": bool(row["cancel_all"]),
            "cancelEntireSeries": bool(row["cancel_entire_series"]),
        }.items()
        if value
    }


def is_uuid(text):
    try:
        return bool(UUID(text))
    except ValueError:
        return False
