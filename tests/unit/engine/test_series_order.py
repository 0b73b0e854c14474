"""Series after all other rows of all runners, one runner at a time, and never beside anything else."""

from __future__ import annotations

import random

import anyio
import pytest

from bulk_cancel.core.exit_codes import Halt
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.series_order import Order
from bulk_cancel.errors import Exit

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(20))
async def test_no_series_beside_anything_and_none_before_all_others(seed: int) -> None:
    chance, runners = random.Random(seed), [f"runner {number}" for number in range(5)]
    order, now, told = Order(runners), {"series": 0, "others": 0}, []

    async def send(runner: str, kind: str) -> None:
        async with order.turn(runner, Intake(), series=kind == "series"):
            now[kind] += 1
            assert now["series"] == 0 or now == {"series": 1, "others": 0}
            told.append((runner, kind))
            await anyio.sleep(chance.random() / 500)
            now[kind] -= 1

    async def run(runner: str) -> None:
        for _ in range(chance.randint(1, 3)):
            await send(runner, "others")
            await send(runner, "series")
        order.leave(runner)

    async with anyio.create_task_group() as group:
        for runner in runners:
            group.start_soon(run, runner)
    first = told.index(next(item for item in told if item[1] == "series"))
    assert {runner for runner, _ in told[:first]} == {*runners}


async def test_an_account_that_left_keeps_no_other_waiting() -> None:
    order = Order(["a", "b"])
    with anyio.fail_after(1):
        async with anyio.create_task_group() as group:
            group.start_soon(_series, order, "a", Intake())
            await anyio.sleep(0.01)
            order.leave("b")


async def test_a_halt_ends_the_wait_and_takes_no_turn() -> None:
    order, intake = Order(["a", "b"]), Intake()
    with anyio.fail_after(1):
        async with anyio.create_task_group() as group:
            group.start_soon(_series, order, "a", intake)
            await anyio.sleep(0.01)
            intake.close(Halt(Exit.STOPPED, "Enough."))
    with anyio.fail_after(1):
        async with order.turn("b", Intake(), series=False):
            pass
        await _series(order, "b", Intake())


async def _series(order: Order, runner: str, intake: Intake) -> None:
    async with order.turn(runner, intake, series=True):
        pass
