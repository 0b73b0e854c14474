"""Lines of plans, one of every kind, and a plan file with all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import Appointment, InputRow
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.plan_files import PlanFile, PlanHeader, open_plan, options_digest, writing_plan

NOW = 1_795_384_800.0  # 2026-11-22 22:00 UTC
DAY = 86_400.0
ABOUT = PlanHeader(
    created_at=NOW,
    expires_at=NOW + DAY,
    api_url="https://api.meetergo.com/v4",
    input="closure.csv",
    input_digest="ab" * 32,
    options_digest=options_digest({"cancel_all": False, "reason": "Closed", "skip_past": True}),
    timezone="Europe/Berlin",
)


def write_plan(path: Path, about: PlanHeader, lines: Iterable[PlanLine]) -> str:
    """Write a plan file from all of its lines and return its digest. Raises PlanWriteError."""
    with writing_plan(path, about) as draft:
        for line in lines:
            draft.add(line)
    return draft.digest


def uuid(number: int) -> str:
    return f"6f0e8f5e-0000-4000-8000-{number:012x}"


def row_of(row: int, **changes: object) -> InputRow:
    """A valid row that names an appointment of its own, unless told otherwise."""
    plain = InputRow(row, uuid(row), None, False, False, "Closed", None, row, None)
    return plain._replace(**changes)


def invalid_row(row: int, problems: str = "appointment_id is empty") -> InputRow:
    return InputRow(row, None, None, False, False, None, None, None, problems)


def seen(row: int, **changes: object) -> Appointment:
    plain: dict[str, object] = {
        "appointment_id": uuid(row),
        "is_cancelled": False,
        "start": "2026-12-01T09:00:00Z",
        "end": "2026-12-01T09:30:00Z",
        "meeting_type_id": uuid(700),
        "host_ids": (uuid(801), uuid(802)),
    }
    return Appointment(**plain | changes)  # type: ignore[arg-type]


def line(row: int, action: Action = Action.CANCEL, why: str = "would be cancelled", **changes: object) -> PlanLine:
    return PlanLine(row_of(row, **changes), action, why, seen(row))


ONE_OF_EACH = (
    line(2, why="would be cancelled, paid: think of a refund"),
    line(3, attendee_id=uuid(900), reason=None, user_id=uuid(901)),
    line(4, cancel_all=True),
    PlanLine(row_of(5, entire_series=True, reason="Ünser Büro ist zu\n🎄"), Action.CANCEL, "to be cancelled"),
    PlanLine(row_of(6), Action.READ_FIRST, "an earlier cancel has no known outcome"),
    PlanLine(row_of(7), Action.NOTHING, "cancelled in an earlier run"),
    PlanLine(row_of(8, appointment_id=uuid(2), first_row=2), Action.SAME, "same target as row 2"),
    line(9, Action.ALREADY_CANCELLED, "already cancelled by host on 2026-11-20 10:00 UTC"),
    PlanLine(row_of(10), Action.NOT_FOUND, "the API knows no such appointment"),
    line(11, Action.REFUSED, "a group booking: the API wants attendee_id or cancel_all"),
    line(12, Action.SKIP, "it started on 2026-11-20 10:00 UTC: past"),
    PlanLine(invalid_row(14), Action.INVALID, "appointment_id is empty"),
)


def many(count: int) -> Iterator[PlanLine]:
    """So many lines, quickly made."""
    plain = line(2)
    for row in range(2, count + 2):
        action = Action.CANCEL if row % 10 else Action.SKIP
        yield PlanLine(plain.row._replace(row=row, first_row=row), action, plain.why, plain.seen)


def broken_off() -> Iterator[PlanLine]:
    """Lines that end with an error which is none of the plan's."""
    yield line(2)
    raise OSError("no network")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "closure.plan"


@pytest.fixture
def plan(path: Path) -> PlanFile:
    """A plan file with one line of each kind."""
    write_plan(path, ABOUT, ONE_OF_EACH)
    return open_plan(path, now=NOW)


@pytest.fixture
def small(path: Path) -> PlanFile:
    """A plan file for tests that try every byte."""
    write_plan(path, ABOUT, (ONE_OF_EACH[0], ONE_OF_EACH[-1]))
    return open_plan(path, now=NOW)
