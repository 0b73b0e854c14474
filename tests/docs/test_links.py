"""Every relative link of README and docs/ leads to a file, and to a heading that the file has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ABSOLUTE = re.compile(r"[a-z]+:", re.IGNORECASE)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not ABSOLUTE.match(target):
            yield target


def anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of the headings: a repeated one gets a number."""
    found: Counter[str] = Counter()
    names = set()
    for title in re.findall(r"^#{1,6} (.*)$", prose(page), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w -]", "", shown.strip().lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return names


LINKS = [(page, target) for page in [*PAGES, *sorted((ROOT / ".github").glob("*.md"))] for target in links(page)]


@pytest.mark.parametrize(("page", "target"), LINKS, ids=[f"{name_of(page)}:{target}" for page, target in LINKS])
def test_a_link_leads_to_a_file_and_to_its_heading(page: Path, target: str) -> None:
    file, _, heading = target.partition("#")
    linked = (page.parent / file).resolve() if file else page
    assert linked.is_relative_to(ROOT)
    assert linked.exists()
    assert not heading or heading in anchors(linked)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = {PAGES[0]}, [PAGES[0]]
    while waiting:
        page = waiting.pop()
        linked = {(page.parent / target.partition("#")[0]).resolve() for target in links(page)} & set(PAGES)
        waiting += linked - reached
        reached |= linked
    assert reached == set(PAGES)


NAMED = [
    (page, path)
    for page in PAGES
    for path in sorted(
        set(re.findall(r"`(?:\.venv/bin/\w+ )?((?:src|tests|jobs|docs|sample_inputs)/[\w./-]*)", prose(page)))
    )
]


@pytest.mark.parametrize(("page", "path"), NAMED, ids=[f"{name_of(page)}:{path}" for page, path in NAMED])
def test_a_file_that_a_page_names_exists(page: Path, path: str) -> None:
    assert (ROOT / path).exists()


PLACED = [
    (page, name, target)
    for page in PAGES
    for name, target in re.findall(r"`(\w+)`\s+in\s+\[[^\]]*\]\(([^)#]+\.py)\)", prose(page))
]


@pytest.mark.parametrize(
    ("page", "name", "target"), PLACED, ids=[f"{name_of(page)}:{name}" for page, name, _ in PLACED]
)
def test_a_function_is_where_a_page_says(page: Path, name: str, target: str) -> None:
    assert re.search(rf"^\s*(async )?def {name}\(", (page.parent / target).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_readme_says_where_a_429_a_column_and_an_exit_code_are_decided() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for topic, module in (("A 429", "outcome"), ("An input column", "headers"), ("The exit code", "exit_codes")):
        assert re.search(rf"^- \*\*{topic}\*\*: .*{module}\.py", text, re.MULTILINE), topic
    assert {name for _, name, _ in PLACED} >= {"throttled", "decide_exit", "resolve_columns"}
