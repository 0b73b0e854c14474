"""docs/runbook.md has an answer to each exit code, and names only what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bulk_cancel.cli.main import app
from bulk_cancel.errors import Exit

DOCS = Path(__file__).resolve().parents[2] / "docs"
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")


def test_every_exit_code_has_its_section() -> None:
    sections = re.findall(r"^## Exit (\d+): .*?(?=^## )", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert [int(code) for code in sections] == sorted(Exit)
    for text in re.findall(r"^## Exit \d+: .*?(?=^## )", RUNBOOK, re.MULTILINE | re.DOTALL):
        assert "- **Done**" in text
        assert "- **Next**" in text


@pytest.mark.parametrize("line", re.findall(r"^bulk-cancel .*$", RUNBOOK, re.MULTILINE))
def test_every_command_can_be_typed(line: str) -> None:
    group = app
    words = shlex.split(line, comments=True)[1:]
    context = group.make_context("bulk-cancel", words, resilient_parsing=True)
    name, command, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
    assert command is not None
    assert command.make_context(name, list(rest))


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8")):
        file, _, heading = target.partition("#")
        linked = page.parent / file if file else page
        assert linked.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target
