"""The world of a rehearsal is made from an input: its ids, and of which kind each appointment is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_cancel.commands.rehearse import seed_world
from bulk_cancel.errors import InputError
from bulk_cancel.sandbox.people import made_id
from bulk_cancel.sandbox.world import Kind

A, B, C = (made_id(name) for name in "abc")
Seed = Callable[..., str]


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    def seed(text: str, encoding: str = "utf-8") -> str:
        path = tmp_path / "seed.csv"
        path.write_text(text, encoding=encoding)
        return str(path)

    return seed


@pytest.mark.parametrize("header", ["id", "appointmentId", "Appointment ID", "appointment_id", "APPOINTMENT-ID"])
def test_a_seed_serves_exactly_its_ids(seed: Seed, header: str) -> None:
    text = f"{header},x\n{A.upper()},1\nnot-a-uuid,2\n,3\n{B},4\n{A},5\n"
    assert list(seed_world(seed(text, "utf-8-sig")).appointments) == [A, B]


def test_a_seed_may_name_kinds(seed: Seed) -> None:
    world = seed_world(seed(f"id;kind\r\n{A};paid\r\n{B};\r\n"))
    assert [each.kind for each in world.appointments.values()] == [Kind.PAID, Kind.SINGLE]


def test_rows_for_groups_make_groups(seed: Seed) -> None:
    text = f"appointment_id\tattendee_id\tcancel_all\n{A}\t{C}\t\n{A}\t{B}\t\n{B}\t\tyes\n{C}\t\tno\n"
    group, whole, single = seed_world(seed(text)).appointments.values()
    assert (group.kind, group.attendee_ids) == (Kind.GROUP, (C, B))
    assert (whole.kind, single.kind) == (Kind.GROUP, Kind.SINGLE)


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("", InputError, "empty"),
        ("name\nx\n", InputError, "no column holds the appointment ids"),
        (f"id,kind\n{A},single\n{B},double\n", ValueError, "row 3 has the unknown kind 'double'"),
    ],
)
def test_a_wrong_seed_is_refused(seed: Seed, text: str, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        seed_world(seed(text))
