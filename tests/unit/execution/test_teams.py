"""How the ends of several accounts become one, and where they stand together."""

from __future__ import annotations

import random
from typing import Any

import pytest
import structlog

from bulk_cancel.core.exit_codes import Halt, gravest
from bulk_cancel.core.model import Scope
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import State
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.counters import Counters
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd
from bulk_cancel.errors import Exit
from bulk_cancel.execution.runners import standing_of, work_together

pytestmark = pytest.mark.anyio


def context(name: str, counters: Counters, rate: float = 1.0) -> Context:
    clock, nothing = system_clock(), structlog.wrap_logger(None)
    commits: Any = None
    limiter = Limiter(Pace(rate, 1), clock, clock.monotonic(), random.Random(1))
    return Context(1, commits, limiter, clock, Intake(), counters, Limits(), nothing, [], Scope(name))


async def ended(halts: dict[str, Halt | None], posts: int = 0) -> RunEnd:
    left = iter(halts.values())

    async def what(_: object) -> RunEnd:
        return RunEnd(next(left), Reconciled(settled=1, unknown=2, due_in_s=5))

    return await work_together([context(name, Counters(posts=posts)) for name in halts], what)


async def test_the_gravest_halt_decides_and_each_is_told() -> None:
    end = await ended({"a": Halt(Exit.STOPPED, "Trouble."), "b": Halt(Exit.CREDENTIAL, "No."), "c": None})
    assert end.halt == Halt(Exit.CREDENTIAL, "The account b: No. The account a: Trouble.")
    assert end.reconciled == Reconciled(settled=3, unknown=6, due_in_s=5)


async def test_a_halt_of_one_account_for_a_person_is_one_of_the_run() -> None:
    end = await ended({"a": Halt(Exit.STOPPED, "The canary did not verify.", for_a_person=True), "b": None})
    assert end.halt == Halt(Exit.STOPPED, "The account a: The canary did not verify.", for_a_person=True)


async def test_a_halt_of_all_accounts_is_said_once() -> None:
    stopped = Halt(Exit.STOPPED, "Stopped by SIGTERM.")
    assert (await ended({"": stopped, "a": stopped})).halt == stopped
    assert (await ended({"": stopped})).halt == stopped
    assert (await ended({"a": stopped})).halt == Halt(Exit.STOPPED, "The account a: Stopped by SIGTERM.")
    both = await ended({"": stopped, "a": stopped, "b": None})
    assert both.halt == Halt(Exit.STOPPED, "The run's own credential and the account a: Stopped by SIGTERM.")
    assert (await ended({"": None, "a": None})).halt is None


async def test_unreachable_promises_that_nothing_was_cancelled() -> None:
    away = {"a": Halt(Exit.UNREACHABLE, "Away."), "b": None}
    codes = [end.halt.exit_code for end in (await ended(away), await ended(away, posts=1)) if end.halt]
    assert codes == [Exit.UNREACHABLE, Exit.STOPPED]


def test_of_several_exit_codes_the_gravest_counts() -> None:
    assert gravest([Exit.STOPPED, Exit.CONFIG, Exit.DISK]) is Exit.DISK
    assert gravest([Exit.STOPPED]) is Exit.STOPPED


def test_the_progress_of_accounts_is_their_sum_and_the_time_left_is_the_slowest_ones() -> None:
    fast, slow = Counters(posts=3, targets=10), Counters(gets=2, targets=20, waits=("until it is day", 7200.0))
    fast.moved(State.SENDING, State.CANCELLED)
    slow.moved(State.SENDING, State.UNKNOWN)
    slow.moved(State.SENDING, State.CANCELLED)
    now = standing_of([context("", fast, rate=10), context("slow", slow)])
    assert (now.done, now.total, now.sent, now.counts) == (3, 30, 5, "2 cancelled, 1 unknown")
    assert now.note.startswith("slow: waiting ")
    assert now.note.endswith(" until it is day")
    assert 16 < now.eta_s < 19
