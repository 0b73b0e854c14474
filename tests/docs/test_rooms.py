"""The pictures of the rooms in README and docs/design.md show the folders that exist, and agree about their floors."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "bulk_cancel"
ROOMS = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
LOOSE = {path.stem for path in PACKAGE.glob("*.py")}


def shown_in_design() -> dict[str, int]:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = text.split("<!-- floors:")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", table, re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+/?)`", names)}


def shown_in_readme() -> dict[str, int]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = text.split("<!-- rooms:")[1].split("```")[1]
    floor, shown = 0, {}
    for line in picture.splitlines()[1:]:
        floor = int(line[:3].strip() or floor)
        shown[line[3:].split()[0]] = floor
    return shown


def test_the_table_of_floors_has_every_room_and_loose_module() -> None:
    assert set(shown_in_design()) == {f"{room}/" for room in ROOMS} | LOOSE


def test_the_picture_in_the_readme_has_every_room_on_its_floor() -> None:
    floors = {name: floor for name, floor in shown_in_design().items() if name.endswith("/")}
    assert shown_in_readme() == floors
