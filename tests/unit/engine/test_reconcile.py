"""Reads settle what is unknown; only time, and two reads that agree, make a target sendable again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest

from bulk_cancel.api.port import Page, Query
from bulk_cancel.core.actions import Look
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Answer, Appointment, Target, Work
from bulk_cancel.core.states import Event, State
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.reconcile import Reconciled, Reconciler
from bulk_cancel.engine.runner import Runner
from bulk_cancel.engine.unknowns import due_in_s, open_one
from bulk_cancel.ledger.port import Unknown
from support.scripted import NO_ANSWER, MemoryCommits, ScriptedLine, active, cancelled, context_of, said, works

pytestmark = pytest.mark.anyio


def unknowns(clock: Clock, count: int, age_s: float, base: TimeBase | None = None) -> list[Unknown]:
    at = clock.now() - age_s
    return [Unknown(work, at - 1, base or clock.base, None, at) for work in works(count)]


async def reconcile(clock: Clock, line: ScriptedLine, items: list[Unknown]) -> tuple[Reconciled, MemoryCommits]:
    context, commits = context_of(clock, line, Limits(settle_s=600, confirm_s=5))
    commits.hold(*items)
    return await Reconciler(context).run(), commits


async def test_a_read_that_shows_it_cancelled_settles_at_once(clock: Clock) -> None:
    result, commits = await reconcile(clock, ScriptedLine(clock, on_read=cancelled), unknowns(clock, 1, age_s=0))
    assert commits.events() == [Event.SEEN_CANCELLED]
    assert result.settled == 1


async def test_a_cancellation_older_than_the_intent_was_someone_elses(clock: Clock) -> None:
    def read(target: object) -> Answer:
        before = clock.now() - 3600
        return Answer(200, appointment=Appointment(item.work.target.appointment_id, True, cancelled_at=before))

    (item,) = unknowns(clock, 1, age_s=60)
    _, commits = await reconcile(clock, ScriptedLine(clock, on_read=read), [item])
    assert commits.states[1] is State.ALREADY_CANCELLED


async def test_active_before_the_settle_time_proves_nothing(clock: Clock) -> None:
    line = ScriptedLine(clock)
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=599))
    assert commits.states[1] is State.UNKNOWN
    assert len(line.reads) == 1
    assert 0 < result.due_in_s <= 1


async def test_active_after_the_settle_time_needs_a_second_read_some_seconds_later(clock: Clock) -> None:
    line = ScriptedLine(clock)
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=600))
    assert commits.states[1] is State.WAITING
    assert line.reads[1] - line.reads[0] >= 5
    assert result.sendable == 1


def kept_for(seconds: float) -> Callable[[Target], Answer]:
    """Return a cache that answers everything with what it got so many seconds before."""
    return lambda target: replace(active(target), age_s=seconds)


async def test_an_outcome_that_a_cache_hides_is_left_to_a_person_who_is_told_of_the_cache(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=kept_for(float("inf")))
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=700))
    assert (result.unknown, result.undecided, result.sendable) == (1, 1, 0)
    assert commits.events() == [Event.UNDECIDED]
    assert "a cache answers in place of the API" in commits.entries[0].detail
    line.on_read = active
    (item,) = unknowns(clock, 1, age_s=700)
    result, commits = await reconcile(clock, line, [replace(item, undecided=True)])
    assert commits.events() == [Event.SEEN_ACTIVE], "when the cache is gone a read may settle it after all"


async def test_an_outcome_behind_a_cache_is_due_when_the_cached_answer_is_new_enough(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=kept_for(300))
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=700))
    assert (result.unknown, result.undecided, commits.entries) == (1, 0, [])
    assert result.due_in_s == pytest.approx(200, abs=1)


async def test_within_the_settle_time_a_cache_proves_nothing_and_no_person_is_asked(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=kept_for(float("inf")))
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=590))
    assert (result.unknown, result.undecided, commits.entries) == (1, 0, [])


@pytest.mark.parametrize("age_s", [602, 300])
async def test_a_cached_answer_from_within_the_settle_time_proves_nothing(age_s: float, clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=kept_for(age_s))
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=600))
    assert (commits.entries, result.unknown) == ([], 1)


async def test_both_readings_are_taken_after_the_settle_time_some_seconds_apart(clock: Clock) -> None:
    line = ScriptedLine(clock)
    line.on_read = lambda target: kept_for(0 if len(line.reads) == 1 else 4)(target)
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=601))
    assert (commits.entries, result.unknown) == ([], 1), "a cache that repeats the first reading is no second one"


async def test_the_second_read_may_find_it_cancelled(clock: Clock) -> None:
    line = ScriptedLine(clock)
    line.on_read = lambda target: cancelled(target) if len(line.reads) > 1 else active(target)
    _, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=10_000))
    assert commits.events() == [Event.SEEN_CANCELLED]


@pytest.mark.parametrize("answer", [NO_ANSWER, *map(Answer, (200, 302, 400, 403, 404, 500))])
async def test_an_answer_that_is_not_the_apis_leaves_a_target_unknown(answer: Answer, clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=lambda _: answer)
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=10_000))
    assert not commits.entries
    assert (result.unknown, result.undecided) == (1, 0)


def silent(target: Target) -> Answer:
    return Answer(200, appointment=Appointment(target.appointment_id, is_cancelled=None))


@pytest.mark.parametrize(
    ("read", "series", "why"),
    [
        (lambda _: said(404), False, "the API does not find this appointment"),
        (lambda _: said(403), False, "the API does not show it (403: no)"),
        (silent, False, "the API does not say whether it is cancelled"),
        (cancelled, True, "look at the series in meetergo"),
    ],
)
async def test_a_target_that_no_read_can_settle_is_recorded_as_undecided_once(
    read: Callable[[Target], Answer], series: bool, why: str, clock: Clock
) -> None:
    (item,) = unknowns(clock, 1, age_s=10_000)
    item.work.target = Target(item.work.target.appointment_id, entire_series=series)
    result, commits = await reconcile(clock, ScriptedLine(clock, on_read=read), [item])
    assert commits.events() == [Event.UNDECIDED]
    assert commits.states[1] is State.UNKNOWN
    assert (result.unknown, result.undecided) == (1, 1)
    assert why in commits.entries[0].detail
    told = replace(item, undecided=True)
    result, commits = await reconcile(clock, ScriptedLine(clock, on_read=read), [told])
    assert (commits.entries, result.undecided) == ([], 1)


@pytest.mark.parametrize("first_read", [active, lambda _: Answer(503)])
async def test_what_is_left_to_a_person_stays_so_while_its_reads_tell_nothing(
    first_read: Callable[[Target], Answer], clock: Clock
) -> None:
    """Else a run that waits takes each failed read and each good one after it for progress, and has no end."""
    (item,) = unknowns(clock, 1, age_s=10_000)
    shown = itertools.chain([first_read(item.work.target)], itertools.repeat(Answer(503)))
    line = ScriptedLine(clock, on_read=lambda _: next(shown))
    result, commits = await reconcile(clock, line, [replace(item, undecided=True)])
    assert not commits.entries
    assert (result.unknown, result.undecided) == (1, 1)


async def test_within_the_settle_time_nothing_is_left_to_a_person(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=lambda _: said(404))
    result, commits = await reconcile(clock, line, unknowns(clock, 1, age_s=10))
    assert (commits.entries, result.undecided) == ([], 0)


@pytest.mark.parametrize(("attended", "state"), [(True, State.CANCELLED), (False, State.UNKNOWN)])
async def test_an_attendee_who_is_gone_is_cancelled_only_if_seen_in_it_before_the_send(
    attended: bool, state: State, clock: Clock
) -> None:
    def read(target: Target) -> Answer:
        there = frozenset({"bert"})
        return Answer(200, appointment=Appointment(target.appointment_id, is_cancelled=False, attendee_ids=there))

    (item,) = unknowns(clock, 1, age_s=10_000)
    item.work.target, item.work.attended = Target(item.work.target.appointment_id, attendee_id="anna"), attended
    _, commits = await reconcile(clock, ScriptedLine(clock, on_read=read), [item])
    assert commits.states[1] is state


@pytest.mark.parametrize("jump", [3600, 2 * 86400, -3600])
async def test_a_wall_clock_that_jumped_since_the_intent_makes_nothing_older(jump: float, clock: Clock) -> None:
    written_under = TimeBase(clock.base.boot_id, clock.base.offset_s - jump)
    items = [Unknown(work, clock.now() - 60 - jump, written_under, None, clock.now() - 60 - jump) for work in works(1)]
    _, commits = await reconcile(clock, ScriptedLine(clock), items)
    assert commits.states[1] is State.UNKNOWN


async def test_many_are_looked_up_a_hundred_at_a_time(clock: Clock) -> None:
    items = unknowns(clock, 250, age_s=60)
    line = ScriptedLine(clock, on_read=cancelled)
    line.listed = [Appointment(item.work.target.appointment_id, is_cancelled=True) for item in items[:240]]
    result, _ = await reconcile(clock, line, items)
    assert result.settled == 250
    assert len(line.pages) == 3, "a short page is the last one, the rest is read one by one"
    assert len(line.reads) == 10


async def test_a_page_that_shows_it_active_is_no_proof(clock: Clock) -> None:
    items = unknowns(clock, 20, age_s=10_000)
    line = ScriptedLine(clock)
    line.listed = [Appointment(item.work.target.appointment_id, is_cancelled=False) for item in items]
    _, commits = await reconcile(clock, line, items)
    assert len(line.reads) == 40, "each is read twice all the same"
    assert set(commits.states.values()) == {State.WAITING}


async def test_a_list_that_shows_the_same_for_ever_is_left(clock: Clock) -> None:
    items = unknowns(clock, 20, age_s=60)
    line = _Repeating(clock)
    line.listed = [Appointment(item.work.target.appointment_id, is_cancelled=False) for item in items]
    line.listed += [Appointment(f"00000000-0000-4000-9000-{number:012}", is_cancelled=False) for number in range(300)]
    result, _ = await reconcile(clock, line, items)
    assert (result.unknown, len(line.reads)) == (20, 20)
    assert len(line.pages) == 2


class _Repeating(ScriptedLine):
    """Shows the first twenty on each page, and eighty others in turn."""

    async def page(self, query: Query) -> Page:
        self.pages.append(self.clock.monotonic())
        assert len(self.pages) < 50
        return Page(Answer(200), (*self.listed[:20], *self.listed[20 + 80 * (len(self.pages) % 3) :][:80]))


async def test_a_drain_ends_it_between_two_reads(clock: Clock) -> None:
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line)
    commits.hold(*unknowns(clock, 5, age_s=10_000))
    async with anyio.create_task_group() as group:
        group.start_soon(Reconciler(context).run)
        await anyio.sleep(1)
        context.halt(5, "stop")  # type: ignore[arg-type]
    assert set(commits.states.values()) == {State.UNKNOWN}


@pytest.mark.parametrize(("run_s", "command_s"), [(3600.0, 600.0), (600.0, 3600.0)])
async def test_the_longest_settle_time_holds_the_sending_runs_or_this_commands(
    clock: Clock, run_s: float, command_s: float
) -> None:
    (item,) = unknowns(clock, 1, age_s=3500)
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line, Limits(settle_s=command_s, confirm_s=5))
    died = replace(item, settle_s=run_s, intent_at=item.last_at)
    commits.hold(died)
    result = await Reconciler(context).run()
    assert (commits.states[1], result.unknown) == (State.UNKNOWN, 1)
    assert 105 < result.due_in_s <= 115, "its run died after the intent: it may have left up to 15 s later"
    told = open_one(died, clock, command_s)
    assert told.due_at == pytest.approx(clock.now() + result.due_in_s, abs=5)
    assert told.age_s == pytest.approx(3485, abs=5)
    young = replace(died, intent_at=clock.now(), last_at=clock.now(), settle_s=600)
    assert due_in_s(young, clock, 600) == pytest.approx(615, abs=1), "not only the settle time"
    answered = replace(item, settle_s=run_s)
    assert open_one(answered, clock, command_s).age_s == pytest.approx(3500, abs=5), "it left before that answer"


async def sent_once_settled(context: Context, commits: MemoryCommits, line: ScriptedLine, other: Work) -> list[str]:
    """Run, let another account settle its target after 800 s, and return what was sent: nothing before that."""
    async with anyio.create_task_group() as group:
        group.start_soon(Runner(context).run)
        await anyio.sleep(800)
        assert not line.posts
        commits.states[other.target_id] = State.CANCELLED
    return [name for _, name in line.posts]


async def test_with_wait_rows_wait_until_another_accounts_series_is_settled(clock: Clock) -> None:
    """Its account reads it when its settle time is over, and these reads take minutes."""
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line, Limits(wait=True))
    own, other = works(2)
    (item,) = unknowns(clock, 1, age_s=0)
    other.target = replace(other.target, entire_series=True)
    commits.stage(own)
    commits.hold(replace(item, work=other), elsewhere=True)
    commits.rows.append(other)
    assert await sent_once_settled(context, commits, line, other) == [own.target.appointment_id]


async def test_with_wait_rows_wait_for_another_account_also_beside_what_only_a_person_can_settle(clock: Clock) -> None:
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line, Limits(wait=True))
    own, undecided, other = works(3)
    (late,), (young,) = unknowns(clock, 1, age_s=700), unknowns(clock, 1, age_s=0)
    other.target = replace(other.target, entire_series=True)
    line.on_read = lambda target: Answer(404) if target == undecided.target else active(target)
    commits.stage(own)
    commits.hold(replace(late, work=undecided, undecided=True))
    commits.hold(replace(young, work=other), elsewhere=True)
    commits.rows.append(other)
    assert await sent_once_settled(context, commits, line, other) == [own.target.appointment_id]


async def test_rows_go_on_when_what_they_wait_for_is_left_to_a_person_while_the_run_is_at_work(clock: Clock) -> None:
    """The first read comes before the settle time is over, the read after the pass later."""
    own, other = works(2)
    shown = itertools.chain([active(other.target), Answer(503), Answer(503)], itertools.repeat(said(404)))
    line = ScriptedLine(clock, on_read=lambda _: next(shown))
    context, commits = context_of(clock, line, Limits(look=Look.NEVER))
    (item,) = unknowns(clock, 1, age_s=599.9)
    other.target = replace(other.target, entire_series=True)
    commits.stage(own)
    commits.hold(replace(item, work=other))
    commits.rows.append(other)
    end = await Runner(context).run()
    assert end.reconciled.undecided == 1
    assert [name for _, name in line.posts] == [own.target.appointment_id]


async def test_with_wait_nobody_else_is_waited_for_while_reads_of_an_own_target_fail(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=lambda _: Answer(503))
    context, commits = context_of(clock, line, Limits(wait=True))
    own, unread = works(2)
    (item,) = unknowns(clock, 1, age_s=700)
    unread.target = replace(unread.target, entire_series=True)
    commits.stage(own)
    commits.hold(replace(item, work=unread))
    commits.rows.append(unread)
    began = clock.monotonic()
    end = await Runner(context).run()
    assert clock.monotonic() - began < 120
    assert (end.reconciled.unknown, line.posts) == (1, [])
