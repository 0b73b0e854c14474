"""The fault specification: what it means, what it refuses, and whom a fault meets."""

from __future__ import annotations

import pytest

from bulk_cancel.sandbox.faults import Fault, FaultPlan, Meets, Shape, When, parse_faults
from bulk_cancel.sandbox.people import made_id

ID = made_id("somebody")


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("lost-after=0.1", Fault(Shape.LOST, When.AFTER, chance=0.1)),
        ("late=0.05:5s", Fault(Shape.LOST, When.LATE, late_s=5, chance=0.05)),
        ("hang-late", Fault(Shape.HANG, When.LATE, duration_s=120, late_s=3)),
        ("hang:2m", Fault(Shape.HANG, duration_s=120)),
        ("delay=0.2:500ms", Fault(Shape.DELAY, duration_s=0.5, chance=0.2)),
        ("500-before=0.1", Fault(Shape.STATUS, status=500, chance=0.1)),
        ("502-after", Fault(Shape.STATUS, When.AFTER, status=502)),
        ("503", Fault(Shape.STATUS, status=503)),
        ("204-after", Fault(Shape.NO_CONTENT, When.AFTER)),
        ("other-id-after", Fault(Shape.OTHER_ID, When.AFTER)),
        ("not-cancelled", Fault(Shape.NOT_CANCELLED)),
        (f"cut-after@{ID.upper()}", Fault(Shape.CUT, When.AFTER, target=ID)),
        (f"late@{ID}:1.5s", Fault(Shape.LOST, When.LATE, late_s=1.5, target=ID)),
        ("get:500=0.5", Fault(Shape.STATUS, meets=Meets.READS, status=500, chance=0.5)),
        ("stale:4s", Fault(Shape.STALE, meets=Meets.STALE_READS, duration_s=4)),
        ("get:stale", Fault(Shape.STALE, meets=Meets.STALE_READS, duration_s=2)),
    ],
)
def test_a_fault_specification_is_parsed(spec, fault):
    assert parse_faults(spec) == (fault,)


def test_a_list_may_have_spaces_and_gaps():
    assert [fault.shape for fault in parse_faults(" html=0.1, ,reset=0.2 ,")] == [Shape.HTML, Shape.RESET]
    assert parse_faults("") == ()


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("lots", "no known shape"),
        ("status", "no known shape"),
        ("300", "no known shape"),
        ("lost=2", "not a number from 0 to 1"),
        ("lost=nan", "not a number from 0 to 1"),
        ("lost=often", "not a number from 0 to 1"),
        ("lost@me", "not a UUID"),
        ("late:soon", "cannot be read"),
        ("delay:5", "write 500ms, 3s or 2m"),
        ("lost:3s", "takes no duration"),
        ("429-after", "nothing took effect"),
        ("404-late", "nothing took effect"),
        ("get:500-after", "leave out -after"),
        ("delay-late", "write delay-before"),
        ("lost after", "cannot be read"),
        ("lost=0.6,500=0.6", "add up to 1.2"),
        ("html,empty", "add up to 2"),
    ],
)
def test_an_impossible_fault_is_refused_in_a_sentence(spec, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        parse_faults(spec)
    assert not str(refused.value).endswith(".")  # a clause: whoever tells it ends the sentence


def test_chances_of_reads_and_cancels_are_separate():
    assert len(parse_faults("lost,get:lost,stale")) == 3


def test_faults_by_chance_repeat_whatever_the_order_of_arrival():
    targets = [made_id(f"target-{number}") for number in range(400)]
    spec = "lost-after=0.2,500=0.1"
    forwards, backwards = FaultPlan(spec, seed=3), FaultPlan(spec, seed=3)
    first = {target: forwards.decide(Meets.CANCELS, target) for target in targets}
    second = {target: backwards.decide(Meets.CANCELS, target) for target in reversed(targets)}
    assert first == second
    shares = [sum(fault is not None and fault.shape is shape for fault in first.values()) for shape in Shape]
    assert 50 < shares[list(Shape).index(Shape.LOST)] < 110
    assert 20 < shares[list(Shape).index(Shape.STATUS)] < 65


def test_a_named_target_meets_its_faults_once_and_in_order():
    plan = FaultPlan(f"429@{ID},lost-after@{ID}")
    labels = [fault.label if fault else None for fault in (plan.decide(Meets.CANCELS, ID) for _ in range(3))]
    assert labels == ["429-before", "lost-after", None]
    assert plan.decide(Meets.CANCELS, made_id("other")) is None
