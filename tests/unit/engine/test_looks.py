"""When a look may decide a send: the age of a reading, and everything else, is judged when the cancel would leave."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from bulk_cancel.core.actions import Action, Approved, Expectation, Look
from bulk_cancel.core.clock import Past
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import Answer, Appointment, Entry, Target, Work
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.readings import Source
from bulk_cancel.core.states import Event, State
from bulk_cancel.core.window import SendWindow, parse_window
from bulk_cancel.engine.breaker import Breaker
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.feed import Feed
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.sender import HeldForbidden, Sender, conclude_forbidden
from bulk_cancel.errors import Exit
from support.scripted import (
    NO_ANSWER,
    NOT_SENT,
    MemoryCommits,
    ScriptedLine,
    active,
    cancelled,
    context_of,
    said,
    works,
)

pytestmark = pytest.mark.anyio

EACH = Limits(look=Look.EACH)


async def carry_out(context: Context, line: ScriptedLine, workers: int = 4, *, series: bool = False) -> None:
    """Send what is staged, as a runner does."""
    breaker, forbidden = Breaker(context), HeldForbidden()
    feed = Feed(context, breaker, series=series)

    async def worker() -> None:
        sender = Sender(context, line, breaker, forbidden)
        while (work := await feed.next()) is not None:
            await sender.settle(work)
            feed.done(work)

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(worker)
    await conclude_forbidden(context, forbidden)


def staged(
    clock: Clock, count: int, limits: Limits | None = None, pace: Pace | None = None, **facts: Any
) -> tuple[Context, MemoryCommits, ScriptedLine]:
    """Return a run over so many rows, all of them in the list, an hour apart from tomorrow on."""
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line, limits)
    rows = list(works(count))
    commits.stage(*rows)
    context.counters.targets = count
    first = datetime.fromtimestamp(clock.now(), UTC) + timedelta(days=1)
    line.listed = [
        Appointment(row.target.appointment_id, False, start=(first + timedelta(hours=n)).isoformat())
        for n, row in enumerate(rows)
    ]
    if pace is not None:
        context = replace(context, limiter=Limiter(pace, clock, clock.monotonic(), random.Random(1)))
    return replace(context, **facts), commits, line


def slow_once(commits: MemoryCommits, then: Callable[[], Any], event: Event = Event.INTENT) -> None:
    """Let something happen while the first entry of a kind is being made durable."""
    record, met = commits.record, list[bool]()

    async def slow(*entries: Entry) -> None:
        await record(*entries)
        if not met and entries and entries[0].event is event:
            met.append(True)
            happens = then()
            if happens is not None:
                await happens

    commits.record = slow  # type: ignore[method-assign]


AGAIN = [Event.INTENT, Event.NOT_APPLIED, Event.INTENT, Event.CANCELLED]


# -- at the send ------------------------------------------------------------------------------------


async def test_a_read_and_its_cancel_hold_their_slots_together_so_that_no_reading_is_old_at_64_workers(
    clock: Clock,
) -> None:
    context, commits, line = staged(clock, 100, EACH, Pace(4, 20))
    ages: list[float] = []
    line.on_cancel = lambda target: (ages.append(clock.monotonic() - line.reads[-1]), cancelled(target))[1]
    await carry_out(context, line, 64)
    assert len(line.reads) == len(line.posts) == 100
    assert max(ages) < 0.1
    assert set(commits.states.values()) == {State.CANCELLED}


@pytest.mark.parametrize("burst", [1, 2])
async def test_with_the_smallest_burst_reads_and_sends_alternate_at_the_rate(burst: int, clock: Clock) -> None:
    context, commits, line = staged(clock, 3, EACH, Pace(1, burst))
    await carry_out(context, line)
    assert set(commits.states.values()) == {State.CANCELLED}
    times = sorted([*line.reads, *(at for at, _ in line.posts)])
    assert times[-1] - times[0] >= 6 - burst - 1e-6


@pytest.mark.parametrize(("source", "age_s", "reads"), [(Source.SINGLE, 6, 2), (Source.SINGLE, 4, 1)])
async def test_a_reading_that_grew_old_under_a_slow_commit_is_taken_anew(
    source: Source, age_s: float, reads: int, clock: Clock
) -> None:
    context, commits, line = staged(clock, 1, EACH)
    slow_once(commits, lambda: anyio.sleep(age_s))
    await carry_out(context, line)
    assert len(line.reads) == reads
    assert commits.events() == (AGAIN if reads == 2 else AGAIN[2:])


async def test_what_a_colleague_cancelled_while_the_intent_was_written_is_not_cancelled_again(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, EACH)

    def colleague() -> Any:
        line.on_read = cancelled
        return anyio.sleep(10)

    slow_once(commits, colleague)
    await carry_out(context, line)
    assert not line.posts
    assert commits.states[1] is State.ALREADY_CANCELLED


async def test_a_disk_that_is_always_too_slow_comes_to_an_end(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, replace(EACH, max_attempts=3))
    record = commits.record

    async def slow(*entries: Entry) -> None:
        await record(*entries)
        await anyio.sleep(6)

    commits.record = slow  # type: ignore[method-assign]
    await carry_out(context, line)
    assert not line.posts
    assert commits.states[1] is State.FAILED
    assert "too old" in commits.entries[-1].detail


class Suspended:
    """A machine that can be suspended: the event loop's clock stands still then, and the deciding one goes on."""

    def __init__(self, clock: Clock) -> None:
        self.asleep_s = 0.0
        self.clock = Clock(lambda: clock.monotonic() + self.asleep_s, clock.base)

    def sleep(self, seconds: float) -> None:
        self.asleep_s += seconds


def window_around(clock: Clock, hours: float) -> SendWindow:
    now = datetime.fromtimestamp(clock.now(), UTC)
    return parse_window(f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=hours):%H:%M} UTC")


async def test_after_a_suspension_of_ten_hours_nothing_leaves_outside_its_window(clock: Clock) -> None:
    machine = Suspended(clock)
    context, commits, line = staged(machine.clock, 12, Limits(look=Look.NEVER, window=window_around(clock, 2)))
    slow_once(commits, lambda: machine.sleep(10 * 3600))
    sent: list[float] = []
    line.on_cancel = lambda target: (sent.append(machine.clock.now()), cancelled(target))[1]
    await carry_out(context, line)
    assert context.limits.window is not None
    assert all(context.limits.window.is_open(at) for at in sent)
    assert len(sent) == 12


async def test_a_window_that_closes_while_the_intent_is_written_is_closed(clock: Clock) -> None:
    await anyio.sleep(60 - clock.now() % 60 - 3)
    closes = datetime.fromtimestamp(clock.now(), UTC) + timedelta(seconds=3)
    window = parse_window(f"{closes - timedelta(hours=1):%H:%M}-{closes:%H:%M} UTC")
    context, commits, line = staged(clock, 1, Limits(look=Look.NEVER, window=window))
    slow_once(commits, lambda: anyio.sleep(6))
    await carry_out(context, line)
    assert commits.events() == AGAIN
    assert line.posts[0][0] > 3600, "on the next day"


async def test_a_reading_does_not_outlive_a_suspension_between_look_and_intent(clock: Clock) -> None:
    machine = Suspended(clock)
    context, commits, line = staged(machine.clock, 1, EACH)
    line.on_read = lambda target: (machine.sleep(700) if len(line.reads) == 1 else None, active(target))[1]
    await carry_out(context, line)
    assert len(line.reads) == 2
    assert commits.events() == AGAIN[2:]


async def test_a_deadline_that_passes_while_the_intent_is_written_holds(clock: Clock) -> None:
    limit = TimeLimit(clock.monotonic() + 5, "The plan has expired: make a new one.")
    context, commits, line = staged(clock, 3, Limits(look=Look.NEVER, time=limit))
    slow_once(commits, lambda: anyio.sleep(6))
    await carry_out(context, line, 1)
    assert not line.posts
    assert commits.states[1] is State.WAITING
    assert context.intake.halt is not None
    assert (context.intake.halt.exit_code, context.intake.halt.message) == (Exit.STOPPED, limit.sentence)


async def test_a_deadline_that_passes_while_the_connection_is_made_holds(clock: Clock) -> None:
    limit = TimeLimit(clock.monotonic() + 5, "The plan has expired: make a new one.")
    context, commits, line = staged(clock, 3, Limits(look=Look.NEVER, time=limit))
    line.connect_s = 6.0
    await carry_out(context, line, 1)
    assert not line.posts
    assert commits.states[1] is State.WAITING


async def test_a_reading_that_grows_old_while_the_connection_is_made_is_taken_again(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, EACH)
    line.connect_s = 6.0
    line.on_read = lambda target: (setattr(line, "connect_s", 0.0) if len(line.reads) == 2 else None, active(target))[1]
    await carry_out(context, line)
    assert (len(line.reads), len(line.posts)) == (2, 1)
    assert commits.events() == AGAIN


async def test_what_began_meanwhile_is_read_and_left_out(clock: Clock) -> None:
    soon = datetime.fromtimestamp(clock.now() + 3, UTC).isoformat()
    context, commits, line = staged(clock, 1, EACH)
    line.on_read = lambda target: Answer(200, appointment=Appointment(target.appointment_id, False, start=soon))
    slow_once(commits, lambda: anyio.sleep(4))
    await carry_out(context, line)
    assert not line.posts
    assert commits.states[1] is State.SKIPPED


async def test_nothing_leaves_in_a_pause_also_what_held_a_slot_while_its_commit_was_slow(clock: Clock) -> None:
    context, commits, line = staged(clock, 20, Limits(look=Look.NEVER))
    record, throttled_at = commits.record, list[float]()

    async def slow(*entries: Entry) -> None:
        await record(*entries)
        if entries[0].event is Event.INTENT:
            await anyio.sleep(0.5 if entries[0].target_id == 1 else 1.0)

    def throttle(target: Target) -> Answer:
        if throttled_at:
            return cancelled(target)
        throttled_at.append(clock.monotonic())
        return Answer(429, is_api_error=True, retry_after_s=30.0)

    commits.record, line.on_cancel = slow, throttle  # type: ignore[method-assign]
    await carry_out(context, line, 16)
    assert all(at >= throttled_at[0] + 30 for at, _ in line.posts[1:])
    assert set(commits.states.values()) == {State.CANCELLED}


async def test_no_read_leaves_in_a_pause(clock: Clock) -> None:
    context, _, line = staged(clock, 20, EACH)
    throttled_at: list[float] = []

    def throttle(target: Target) -> Answer:
        if throttled_at:
            return active(target)
        throttled_at.append(clock.monotonic())
        return Answer(429, is_api_error=True, retry_after_s=30.0)

    line.on_read = throttle
    await carry_out(context, line, 1)
    assert all(at >= throttled_at[0] + 30 for at in line.reads[1:])


# -- pages ------------------------------------------------------------------------------------------


async def test_a_thousand_rows_of_which_others_cancelled_300_take_few_requests(clock: Clock) -> None:
    context, commits, line = staged(clock, 1000, pace=Pace(100 / 60, 200))
    line.listed = [replace(one, is_cancelled=n % 10 < 3) for n, one in enumerate(line.listed)]
    await carry_out(context, line, 16)
    requests = len(line.pages) + len(line.reads) + len(line.posts)
    assert len(line.posts) == 700
    assert requests <= 1.02 * 700 + 0.03 * 300
    assert sorted(commits.states.values()) == [State.ALREADY_CANCELLED] * 300 + [State.CANCELLED] * 700
    assert context.counters.unseen == 0


async def test_no_page_is_older_than_a_minute_when_its_cancels_leave_at_any_pace(clock: Clock) -> None:
    for rate in (100 / 60, 0.2, 20):
        context, _, line = staged(clock, 150, pace=Pace(rate, 10))
        ages: list[float] = []
        line.on_cancel = lambda target, line=line, ages=ages: (  # type: ignore[misc]
            ages.append(clock.monotonic() - line.pages[-1]), cancelled(target))[1]  # fmt: skip
        await carry_out(context, line, 16)
        assert len(ages) == 150
        assert max(ages) <= 60
        assert len(line.reads) == 0


async def test_the_soonest_comes_first(clock: Clock) -> None:
    context, commits, line = staged(clock, 250)
    commits.rows.reverse()
    await carry_out(context, line, 1)
    assert [where for _, where in line.posts] == [one.appointment_id for one in line.listed]


async def test_a_list_that_drops_what_is_cancelled_hides_no_row(clock: Clock) -> None:
    context, _, line = staged(clock, 400)

    def drop(target: Target) -> Answer:
        line.listed = [one for one in line.listed if one.appointment_id != target.appointment_id]
        return cancelled(target)

    line.on_cancel = drop
    await carry_out(context, line, 4)
    assert (len(line.posts), len(line.reads)) == (400, 0)


@pytest.mark.parametrize(("unlisted", "singly"), [(10, 10), (60, 0)])
async def test_what_no_page_shows_is_read_singly_up_to_a_tenth_of_the_cancels(
    unlisted: int, singly: int, clock: Clock
) -> None:
    context, _, line = staged(clock, 200, pace=Pace(10, 5))
    line.listed = line.listed[unlisted:]
    await carry_out(context, line)
    assert len(line.reads) == singly
    assert context.counters.unseen == unlisted - singly
    assert len(line.posts) == 200


async def test_while_the_burst_lasts_everything_is_read(clock: Clock) -> None:
    context, _, line = staged(clock, 40, pace=Pace(1, 200))
    line.listed = []
    await carry_out(context, line)
    assert len(line.reads) == 40
    assert clock.monotonic() < 1


async def test_pages_are_not_read_before_the_window_opens(clock: Clock) -> None:
    opens = datetime.fromtimestamp(clock.now(), UTC) + timedelta(hours=9)
    window = parse_window(f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M} UTC")
    context, _, line = staged(clock, 50, Limits(window=window))
    began = clock.monotonic()
    await carry_out(context, line)
    assert min(line.pages) - began > 8 * 3600
    assert not line.reads


async def test_what_waited_through_a_pause_is_read_anew_by_the_page(clock: Clock) -> None:
    context, commits, line = staged(clock, 90)
    answers = iter([Answer(429, is_api_error=True, retry_after_s=120.0)])
    line.on_cancel = lambda target: next(answers, None) or cancelled(target)
    await carry_out(context, line, 4)
    assert 2 <= len(line.pages) <= 4
    assert len(line.reads) <= 4, "those that workers had taken"
    assert set(commits.states.values()) == {State.CANCELLED}


async def test_never_reads_only_what_must_be_read(clock: Clock) -> None:
    context, commits, line = staged(clock, 20, Limits(look=Look.NEVER))
    commits.rows[7].must_be_read = True
    await carry_out(context, line)
    assert (len(line.pages), len(line.reads), len(line.posts)) == (0, 1, 20)


# -- an approved plan -------------------------------------------------------------------------------


def seen(row: Work, **facts: Any) -> tuple[Target, Approved]:
    return row.target, Approved(Action.CANCEL, "would be cancelled", Expectation(**facts))


@pytest.mark.parametrize(
    ("planned", "now", "why"),
    [
        ({"start": "2031-01-01T09:00:00Z"}, {"start": "2031-01-02T09:00:00Z"}, "rescheduled"),
        ({"host_ids": ("a",)}, {"host_ids": ("b",)}, "other hosts"),
        ({"attendee_ids": ("a",)}, {"attendee_ids": frozenset({"a", "b"})}, "other attendees"),
    ],
)
@pytest.mark.parametrize("look", list(Look))
async def test_every_row_of_a_plan_is_compared_with_what_was_approved_unless_nobody_is_to_look(
    look: Look, planned: dict[str, Any], now: dict[str, Any], why: str, clock: Clock
) -> None:
    context, commits, line = staged(clock, 200, Limits(look=look), Pace(10, 5))
    context = replace(context, approved=dict(seen(row, **planned) for row in commits.rows))
    line.listed = line.listed[150:]
    line.listed = [replace(one, **now) for one in line.listed]
    line.on_read = lambda target: Answer(200, appointment=Appointment(target.appointment_id, False, **now))
    await carry_out(context, line)
    if look is Look.NEVER:
        assert len(line.posts) == 200
        return
    assert not line.posts
    assert set(commits.states.values()) == {State.SKIPPED}
    assert {entry.event for entry in commits.entries} == {Event.CHANGED}, "which is no rule: a person has to look"
    assert why in commits.entries[0].detail


@pytest.mark.parametrize(("is_forced", "look"), [(False, Look.EACH), (False, Look.AUTO), (True, Look.NEVER)])
async def test_what_only_a_cache_shows_is_not_sent_and_says_what_to_do(
    is_forced: bool, look: Look, clock: Clock
) -> None:
    context, commits, line = staged(clock, 2, Limits(look=look))
    line.listed = []
    line.on_read = lambda target: replace(active(target), age_s=float("inf"))
    for row in commits.rows:
        row.must_be_read = is_forced
    await carry_out(context, line)
    assert not line.posts
    assert set(commits.states.values()) == {State.FAILED}
    why = commits.entries[-1].detail
    assert "a cache answers in place of the API" in why
    assert ("--look never" in why) is not is_forced
    assert context.counters.cached == len(line.reads)


async def test_what_a_plan_leaves_out_is_never_sent(clock: Clock) -> None:
    context, commits, line = staged(clock, 3, Limits(look=Look.NEVER))
    approved = {commits.rows[1].target: Approved(Action.SKIP, "it starts in 1 h: too late")}
    await carry_out(replace(context, approved=approved), line)
    assert len(line.posts) == 2
    assert commits.events(2) == [Event.SKIPPED]


async def test_what_a_plan_leaves_out_is_not_read_after_a_series(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, EACH)
    commits.rows[0] = replace(commits.rows[0], must_be_read=True, series=Past(clock.now(), clock.base))
    line.on_read = lambda _: NO_ANSWER
    approved = {commits.rows[0].target: Approved(Action.NOTHING, "cancelled in an earlier run")}
    await carry_out(replace(context, approved=approved), line)
    assert commits.events(1) == [Event.SKIPPED], "reads in vain make it failed"
    assert not line.reads


# -- troubles of reads ------------------------------------------------------------------------------


async def test_an_outage_of_reads_of_20_s_is_survived_with_few_reads(clock: Clock) -> None:
    context, commits, line = staged(clock, 100, EACH)
    began = clock.monotonic()
    line.on_read = lambda target: active(target) if clock.monotonic() - began > 20 else NO_ANSWER
    line.on_page = lambda: Answer(200 if clock.monotonic() - began > 20 else 503)
    await carry_out(context, line, 16)
    assert context.intake.halt is None
    assert set(commits.states.values()) == {State.CANCELLED}
    assert len(line.reads) <= 100 + 40


async def test_an_outage_while_pages_are_read_is_survived(clock: Clock) -> None:
    context, commits, line = staged(clock, 100)
    began = clock.monotonic()
    line.on_page = lambda: Answer(200) if clock.monotonic() - began > 20 else Answer(503)
    await carry_out(context, line)
    assert set(commits.states.values()) == {State.CANCELLED}
    assert context.counters.unseen == 0


async def test_a_401_on_a_read_halts_as_the_credentials_fault(clock: Clock) -> None:
    context, commits, line = staged(clock, 10, EACH)
    line.on_read = lambda _: said(401)
    await carry_out(context, line)
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CREDENTIAL
    assert not commits.entries


@pytest.mark.parametrize("limits", [EACH, Limits()])
async def test_cancels_that_are_always_throttled_end_the_run_although_reads_are_served(
    limits: Limits, clock: Clock
) -> None:
    context, _, line = staged(clock, 300, limits)
    began = clock.monotonic()
    line.on_cancel = lambda _: Answer(429, is_api_error=True)
    await carry_out(context, line, 8)
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.STOPPED
    assert len(line.posts) <= 10 + 8
    assert clock.monotonic() - began < 10 * 60


@pytest.mark.parametrize("answer", [NO_ANSWER, NOT_SENT, Answer(404), Answer(200), Answer(500)])
async def test_a_row_that_no_read_shows_is_left_with_a_reason_and_taken_up_by_the_next_run(
    answer: Answer, clock: Clock
) -> None:
    context, commits, line = staged(clock, 3, EACH)
    bad = commits.rows[1].target
    line.on_read = lambda target: answer if target == bad else active(target)
    await carry_out(context, line, 1)
    assert commits.states == {1: State.CANCELLED, 2: State.FAILED, 3: State.CANCELLED}
    assert [entry.detail for entry in commits.entries if entry.event is Event.GIVEN_UP] == [
        "not sent: it has to be read first, and no answer of the API came"
    ]


# -- series -----------------------------------------------------------------------------------------


async def test_after_a_series_its_siblings_are_read_twice_some_seconds_apart(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, Limits(look=Look.NEVER))
    commits.rows[0] = replace(commits.rows[0], must_be_read=True, series=Past(clock.now(), clock.base))
    began = clock.monotonic()
    line.on_read = lambda target: active(target) if clock.monotonic() - began < 8 else cancelled(target)
    await carry_out(context, line)
    assert not line.posts, "a replica 5 s behind shows it active 3 s after it was taken along"
    assert commits.states[1] is State.ALREADY_CANCELLED


async def test_a_sibling_that_two_reads_show_active_is_sent(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, Limits(look=Look.NEVER))
    commits.rows[0] = replace(commits.rows[0], must_be_read=True, series=Past(clock.now(), clock.base))
    began = clock.monotonic()
    await carry_out(context, line)
    assert [round(at - began) for at in line.reads] == [6, 12]
    assert commits.states[1] is State.CANCELLED


async def test_a_page_does_not_stand_for_the_reads_after_a_series(clock: Clock) -> None:
    context, commits, line = staged(clock, 20)
    commits.rows[:] = [replace(row, must_be_read=True, series=Past(clock.now(), clock.base)) for row in commits.rows]
    await carry_out(context, line)
    assert len(line.reads) == 40


@pytest.mark.parametrize("set_by_s", [-86400, 86400])
async def test_a_series_of_just_now_takes_two_readings_however_the_wall_clock_was_set_since(
    clock: Clock, set_by_s: float
) -> None:
    base = replace(clock.base, boot_id="boot")
    context, commits, line = staged(replace(clock, base=base), 1, Limits(look=Look.NEVER))
    earlier = replace(base, offset_s=base.offset_s - set_by_s)
    series = Past(earlier.wall(clock.monotonic() - 10), earlier)
    commits.rows[0] = replace(commits.rows[0], must_be_read=True, series=series)
    await carry_out(context, line)
    assert len(line.reads) == 2


async def test_a_series_of_long_ago_takes_one_reading(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, Limits(look=Look.NEVER))
    commits.rows[0] = replace(commits.rows[0], must_be_read=True, series=Past(clock.now() - 616, clock.base))
    await carry_out(context, line)
    assert len(line.reads) == 1


async def test_a_page_from_a_cache_is_as_old_as_the_cache_says(clock: Clock) -> None:
    context, _, line = staged(clock, 20)
    line.on_page = lambda: Answer(200, age_s=61.0)
    await carry_out(context, line)
    assert (len(line.reads), len(line.posts)) == (20, 20), "no page was fresh, so each row was read"


async def test_a_read_that_is_forbidden_among_others_is_the_rows_fault(clock: Clock) -> None:
    context, commits, line = staged(clock, 4, EACH)
    hidden = commits.rows[0].target
    line.on_read = lambda target: said(403) if target == hidden else active(target)
    await carry_out(context, line, 1)
    assert commits.states == {1: State.REJECTED, 2: State.CANCELLED, 3: State.CANCELLED, 4: State.CANCELLED}


async def test_a_slow_ledger_does_not_hand_out_anew_what_a_worker_settles_meanwhile(clock: Clock) -> None:
    """Of four workers two wait for their slots at the snapshot; one of them is done before the rows are handed out."""
    context, commits, line = staged(clock, 8)
    line.listed = line.listed[:6]
    ask = commits.ask

    async def slow(question: Callable[[Any], Any]) -> Any:
        await anyio.sleep(3)
        return await ask(question)

    commits.ask = slow  # type: ignore[method-assign]
    limiter = Limiter(Pace(0.3, 2), clock, clock.monotonic(), random.Random(1))
    context = replace(context, lines=[line] * 4, limiter=limiter)
    await carry_out(context, line)
    assert set(commits.states.values()) == {State.CANCELLED}
    assert len(line.posts) == 8


async def test_what_the_ledger_knows_as_cancelled_is_not_sent_by_a_replica_that_lags(clock: Clock) -> None:
    context, commits, line = staged(clock, 1, Limits(look=Look.NEVER))
    commits.rows[0] = replace(commits.rows[0], is_cancelled=True)
    line.on_read = active
    await carry_out(context, line)
    assert (line.posts, len(line.reads)) == ([], 1)
    assert commits.states[1] is State.ALREADY_CANCELLED
    assert commits.entries[-1].detail == "the whole appointment is cancelled, as the ledger knows"
