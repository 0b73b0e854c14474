"""The tests keep out of the user's real folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulk_cancel.access.places import state_folder

REAL = os.environ["TESTS_REAL_FOLDERS"].split(os.pathsep)


def test_the_state_of_a_test_run_is_in_a_home_of_its_own() -> None:
    assert state_folder().is_relative_to(os.environ["HOME"])
    assert str(state_folder()) not in REAL


@pytest.mark.parametrize("folder", REAL)
def test_a_test_that_writes_to_a_real_folder_of_the_user_fails(folder: str) -> None:
    with pytest.raises(AssertionError, match="the user's real folder"):
        (Path(folder) / "locks" / "a.lock").open()
    with pytest.raises(AssertionError, match="the user's real folder"):
        Path(folder).mkdir()
