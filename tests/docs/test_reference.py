"""docs/cli.md says what `--help` says. After a change of a command: `make docs`."""

from __future__ import annotations

import pytest

from bulk_cancel.cli.options import JOB_OPTIONS
from support.reference import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: make docs"


def test_the_reference_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written = page()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    assert page() == written


def test_every_option_is_on_it() -> None:
    written = page()
    for option in JOB_OPTIONS:
        assert option.help.replace("|", r"\|").replace("<", "&lt;") in written
