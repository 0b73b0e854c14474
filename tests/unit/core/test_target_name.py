"""Each target has a name of its own that a person can type; an appointment's id alone names all of its targets."""

from __future__ import annotations

import pytest

from bulk_cancel.core.model import Target
from bulk_cancel.core.target_name import parse_target_name, part_of, target_name
from bulk_cancel.errors import UsageError

ID, ATTENDEE = "6f0e8f5e-0000-4000-8000-000000000001", "6f0e8f5e-0000-4000-8000-000000000101"
TARGETS = [Target(ID), Target(ID, entire_series=True), Target(ID, ATTENDEE)]


@pytest.mark.parametrize(("target", "name"), [*zip(TARGETS, ("whole", "series", ATTENDEE), strict=True)])
def test_what_is_printed_can_be_typed_and_names_this_target_alone(target: Target, name: str) -> None:
    assert target_name(target) == f"{ID}/{name}"
    appointment, part = parse_target_name(target_name(target))
    assert appointment == ID
    assert [one for one in TARGETS if part_of(one) == part] == [target]


def test_an_id_alone_names_all_targets_of_the_appointment() -> None:
    assert parse_target_name(ID) == parse_target_name(f"{{{ID.upper()}}}/") == (ID, "")


@pytest.mark.parametrize("name", [f"{ID}/None", f"{ID}/whole/series", "whole", f"/{ID}", ""])
def test_another_form_of_a_target_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not the id of an appointment or attendee"):
        parse_target_name(name)
