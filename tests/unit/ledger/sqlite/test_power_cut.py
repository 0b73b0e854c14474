"""What was acknowledged survives a power cut; the rest is there whole or not at all. The sweep is in power_cut.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.power_cut import sweep


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    figures = sweep(tmp_path, images=240)
    assert figures.wrong == []
    assert (figures.images, figures.lost) == (240, 0)


def test_with_a_weaker_sync_acknowledged_commits_are_lost(tmp_path: Path) -> None:
    """Shows that the simulation would notice: the setting is what keeps the promise."""
    figures = sweep(tmp_path, images=80, synchronous="NORMAL")
    assert figures.wrong == []
    assert figures.lost > 20


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 5))
def test_no_power_cut_of_many_loses_anything(tmp_path: Path, seed: int) -> None:
    figures = sweep(tmp_path, images=2500, seed=seed)
    assert figures.wrong == []
    assert figures.lost == 0
