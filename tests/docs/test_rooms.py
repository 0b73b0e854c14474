"""The pictures of the rooms in README and docs/design.md show the rooms that exist, on the floors that imports obey."""

from __future__ import annotations

import re
from pathlib import Path

from test_architecture import FLOORS

ROOT = Path(__file__).resolve().parents[2]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS, 1) for name in names}
ROOMS = {path.name for path in (ROOT / "src" / "bulk_cancel").iterdir() if any(path.glob("*.py"))}


def shown_in_design() -> dict[str, int]:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = text.split("<!-- floors:")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", table, re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)/?`", names)}


def shown_in_readme() -> dict[str, int]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = text.split("<!-- rooms:")[1].split("```")[1]
    floor, shown = 0, {}
    for line in picture.splitlines()[1:]:
        floor = int(line[:3].strip() or floor)
        shown[line[3:].split()[0].removesuffix("/")] = floor
    return shown


def test_the_table_in_the_design_has_every_room_and_loose_module_on_its_floor() -> None:
    assert shown_in_design() == FLOOR_OF


def test_the_picture_in_the_readme_has_every_room_on_its_floor() -> None:
    assert shown_in_readme() == {room: FLOOR_OF[room] for room in ROOMS}
