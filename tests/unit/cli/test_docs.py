"""`docs`: the pages that come with the program."""

from __future__ import annotations

import pytest

from bulk_cancel.cli.docs import docs_command
from bulk_cancel.errors import UsageError


@pytest.mark.parametrize(
    ("name", "likely"),
    [
        ("rehearsal", "Did you mean: guides/rehearsal? "),
        ("guide/rehersal.md", "Did you mean: guides/rehearsal? "),
        ("Runbok", "Did you mean: runbook? "),
        ("zzz", ""),
    ],
)
def test_a_page_that_is_not_there_names_those_that_may_be_meant(name: str, likely: str) -> None:
    with pytest.raises(UsageError, match="There is no page") as refused:
        docs_command(name)
    assert refused.value.advice == f"{likely}All of them: bulk-cancel docs"
