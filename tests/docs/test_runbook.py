"""docs/runbook.md has an answer to each exit code; what README and docs/ type, the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.cli.main import app
from bulk_cancel.errors import Exit

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)]
TYPED = sorted({line for block in BLOCKS for line in re.findall(r"^bulk-cancel .*$", block, re.MULTILINE)})


def test_every_exit_code_has_its_section() -> None:
    sections = re.findall(r"^## Exit (\d+): .*?(?=^## )", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert [int(code) for code in sections] == sorted(Exit)
    for text in re.findall(r"^## Exit \d+: .*?(?=^## )", RUNBOOK, re.MULTILINE | re.DOTALL):
        assert "- **Done**" in text
        assert "- **Next**" in text


def parse(command: Any, name: str, words: list[str]) -> None:
    """Parse words as the command line does, down to the command that they name; run nothing. Raises UsageError."""
    if not hasattr(command, "resolve_command"):
        command.make_context(name, words)
        return
    context = command.make_context(name, words, resilient_parsing=True)  # else a group that is alone prints its help
    context.resilient_parsing = False
    inner, chosen, rest = command.resolve_command(context, words)
    parse(chosen, inner, list(rest))


@pytest.mark.parametrize("line", TYPED)
def test_every_command_can_be_typed(line: str) -> None:
    parse(app, "bulk-cancel", shlex.split(line.removesuffix("&"), comments=True)[1:])


def test_a_mistyped_command_is_refused() -> None:
    for wrong in (["rum", "a.csv"], ["run", "a.csv", "--lok-wait", "1s"], ["cluster", "stahp", "x"]):
        with pytest.raises(Exception, match="There is no"):
            parse(app, "bulk-cancel", wrong)


def test_the_runbook_names_the_settle_time_before_a_lost_ledger_is_forgotten() -> None:
    (anchor,) = set(re.findall(r"runbook\.md#([a-z-]*lost[a-z-]*)", PAGES[0].read_text("utf-8")))
    section = RUNBOOK.partition("## The ledger is lost, or an older copy was restored")[2].partition("\n## ")[0]
    assert anchor == "the-ledger-is-lost-or-an-older-copy-was-restored"
    assert 0 < section.index("settle time") < section.index("bulk-cancel ledger forget") < section.index("--look each")
