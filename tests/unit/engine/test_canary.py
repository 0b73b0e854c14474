"""The first cancels of a run are verified by reads; what these deny stays open until a person has looked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bulk_cancel.core.actions import Look
from bulk_cancel.core.model import Answer, Scope, Target
from bulk_cancel.core.states import Event, State
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.engine.sender import FORBIDDEN_MEANS_CREDENTIAL
from bulk_cancel.errors import Exit
from bulk_cancel.ledger.port import Unknown
from support.scripted import NO_ANSWER, MemoryCommits, ScriptedLine, active, cancelled, context_of, works

pytestmark = pytest.mark.anyio
CANARY = Limits(canary=2, settle_s=600, confirm_s=5)


class Commits(MemoryCommits):
    """What a runner asks a ledger besides."""

    def unknown_count(self, scope: Scope) -> int:
        return len(self.unknown(0, 1000))

    def recover(self, run_no: int, at: float, scope: Scope) -> int:
        return 0

    def bind(self, key: str, value: str) -> str:
        return value

    def remember(self, clock: Clock) -> None:
        """Have the ledger know what became unknown, as the next run finds it."""
        for row in self.rows:
            if self.states.get(row.target_id) is State.UNKNOWN:
                row.state, row.attempts, at = State.UNKNOWN, 1, clock.now()
                is_denied = Event.UNVERIFIED in self.events(row.target_id)
                self.unknowns.append(Unknown(row, at, clock.base, None, at, undecided=is_denied, unverified=is_denied))


def context_with(clock: Clock, line: ScriptedLine, commits: Commits, limits: Limits = CANARY) -> Context:
    context: Any = context_of(clock, line, limits)[0]
    object.__setattr__(context, "commits", commits)
    return context  # type: ignore[no-any-return]


async def run(clock: Clock, line: ScriptedLine, commits: Commits, limits: Limits = CANARY) -> RunEnd:
    return await Runner(context_with(clock, line, commits, limits)).run()


def staged(count: int) -> Commits:
    commits = Commits()
    commits.stage(*works(count))
    return commits


def truthful(line: ScriptedLine) -> Callable[[Target], Answer]:
    """Reads show what was sent as cancelled."""
    return lambda target: (cancelled if target.appointment_id in {name for _, name in line.posts} else active)(target)


async def test_what_reads_confirm_is_recorded_and_all_others_follow(clock: Clock) -> None:
    line, commits = ScriptedLine(clock), staged(6)
    line.on_read = truthful(line)
    end = await run(clock, line, commits)
    assert end.halt is None
    assert set(commits.states.values()) == {State.CANCELLED}


async def test_what_reads_deny_is_not_called_cancelled_and_halts_every_later_run(clock: Clock) -> None:
    line, commits = ScriptedLine(clock, on_read=active), staged(6)
    end = await run(clock, line, commits)
    assert end.halt is not None
    assert (end.halt.exit_code, end.halt.for_a_person) == (Exit.STOPPED, True)
    assert "bulk-cancel resolve" in end.halt.message
    assert commits.events(1) == [Event.INTENT, Event.NO_PROOF, Event.UNVERIFIED]
    commits.remember(clock)
    for limits in (CANARY, Limits(settle_s=0)):
        again = await run(clock, line, commits, limits)
        assert again.halt is not None
        assert again.halt.for_a_person
        assert len(line.posts) == 2, "the two canaries, once each"
    assert again.reconciled.undecided == 2


@pytest.mark.parametrize("look", [Look.EACH, Look.NEVER], ids=["of its read", "of its cancel"])
async def test_a_403_of_the_first_row_is_its_own_and_the_next_one_is_the_canary(clock: Clock, look: Look) -> None:
    """It was held back as a possible fault of the credential, counted again and again, and taken for a canary."""
    line, commits = ScriptedLine(clock), staged(6)
    shown, first = truthful(line), commits.rows[0].target
    forbidden = Answer(403, message="Forbidden", is_api_error=True)
    line.on_read = lambda target: forbidden if target == first else shown(target)
    line.on_cancel = lambda target: forbidden if target == first else cancelled(target)
    end = await run(clock, line, commits, replace(CANARY, canary=1, look=look))
    assert end.halt is None
    assert commits.states.pop(1) is State.REJECTED
    assert set(commits.states.values()) == {State.CANCELLED}
    assert len([name for _, name in line.posts if name == first.appointment_id]) == (look is Look.NEVER)


async def test_canaries_reveal_a_credential_that_may_not_cancel(clock: Clock) -> None:
    forbidden = Answer(403, message="Forbidden", is_api_error=True)
    line, commits = ScriptedLine(clock, on_cancel=lambda _: forbidden, on_read=active), staged(9)
    end = await run(clock, line, commits, replace(CANARY, canary=1))
    assert end.halt is not None
    assert end.halt.exit_code is Exit.CREDENTIAL
    assert len(line.posts) == FORBIDDEN_MEANS_CREDENTIAL
    assert State.REJECTED not in commits.states.values()


async def test_when_reads_show_it_later_the_run_goes_on(clock: Clock) -> None:
    line, commits = ScriptedLine(clock, on_read=active), staged(6)
    await run(clock, line, commits)
    commits.remember(clock)
    line.on_read = truthful(line)
    end = await run(clock, line, commits)
    assert end.halt is None
    assert set(commits.states.values()) == {State.CANCELLED}
    assert len(line.posts) == 6


async def test_a_canary_without_an_answer_is_waited_for_before_the_next_one(clock: Clock) -> None:
    line, commits = ScriptedLine(clock, on_cancel=lambda _: NO_ANSWER, on_read=active), staged(6)
    await run(clock, line, commits)
    assert len(line.posts) == 2
    commits.remember(clock)
    end = await run(clock, line, commits)
    assert end.halt is not None
    assert "--canary" in end.halt.message
    assert len(line.posts) == 2
