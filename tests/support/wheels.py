"""Wheels of what is installed here, made again: to install something into a fresh environment without a network."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_SCRIPTS = ".."  #: what lies outside of site-packages is made anew by the installer


def write_wheels(name: str, folder: Path) -> None:
    """Write a wheel for everything that a distribution needs without its extras."""
    for needed in _needed(name, {canonicalize_name(name)}):
        _write(needed, folder)


def _needed(name: str, seen: set[str]) -> Iterator[Distribution]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        canonical = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and canonical not in seen:
            seen.add(canonical)
            yield distribution(canonical)
            yield from _needed(canonical, seen)


def _write(dist: Distribution, folder: Path) -> None:
    tags = [line.removeprefix("Tag: ") for line in (dist.read_text("WHEEL") or "").splitlines() if "Tag: " in line]
    name = canonicalize_name(dist.metadata["Name"]).replace("-", "_")
    files = [file for file in dist.files or () if file.parts[0] != _SCRIPTS and file.suffix != ".pyc"]
    with zipfile.ZipFile(folder / f"{name}-{dist.version}-{_joined(tags)}.whl", "w") as wheel:
        for file in files:
            if file.name == "RECORD":
                wheel.writestr(str(file), _record(dist, {str(one) for one in files}))
            elif file.name not in {"INSTALLER", "REQUESTED"}:
                wheel.write(str(file.locate()), str(file))


def _joined(tags: list[str]) -> str:
    """Put tags together as a file's name has them: `py2.py3-none-any`."""
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    return "-".join(".".join(dict.fromkeys(part)) for part in parts)


def _record(dist: Distribution, kept: set[str]) -> str:
    text = io.StringIO()
    rows = csv.reader((dist.read_text("RECORD") or "").splitlines())
    csv.writer(text).writerows(row for row in rows if row[0] in kept)
    return text.getvalue()
