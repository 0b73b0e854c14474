"""Who started a run and why: what an approved plan brings along, and what is said of it."""

from __future__ import annotations

from bulk_cancel.core.provenance import Provenance

PLAN = Provenance(ticket="OPS-1", approved_by="Ada", plan_digest="d" * 64)


def test_a_run_takes_over_what_the_plan_names() -> None:
    here = Provenance(user="ben", command="bulk-cancel run c.plan")
    assert here.after(PLAN) == Provenance(
        user="ben", command="bulk-cancel run c.plan", ticket="OPS-1", approved_by="Ada", plan_digest="d" * 64
    )
    assert list(here.notes(PLAN)) == [], "both stand beside the question already"


def test_what_is_given_to_the_run_is_recorded_as_the_runs() -> None:
    here = Provenance(ticket="OPS-2", approved_by="Ada")
    assert here.after(PLAN).ticket == "OPS-2"
    assert list(here.notes(PLAN)) == [
        "The plan names another ticket: OPS-1. This run is recorded with OPS-2.",
    ]


def test_the_ledgers_text_is_read_back_and_unknown_additions_are_ignored() -> None:
    assert Provenance.from_json(PLAN.to_json()) == PLAN
    assert Provenance.from_json('{"ticket": "OPS-1", "weather": "rain"}') == Provenance(ticket="OPS-1")
