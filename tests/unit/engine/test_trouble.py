"""What senders and the breaker do when the API is in trouble, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import anyio
import pytest

from bulk_cancel.api.port import Query
from bulk_cancel.core.actions import Action, Approved, Look
from bulk_cancel.core.clock import SEND_WITHIN_S, Past, TimeBase
from bulk_cancel.core.exit_codes import Halt
from bulk_cancel.core.model import Answer, Appointment, Entry, Target, Work
from bulk_cancel.core.outcome import Kind
from bulk_cancel.core.states import Event, State
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.breaker import Breaker
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.health import Asked
from bulk_cancel.engine.runner import Runner
from bulk_cancel.engine.sender import HeldForbidden, Sender, conclude_forbidden
from bulk_cancel.errors import Exit, LedgerDiskError
from bulk_cancel.ledger.port import Unknown
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


def script(*answers: Answer | Callable[[Target], Answer]) -> Callable[[Target], Answer]:
    """Answer these in turn, then cancel."""
    left: Iterator[Answer | Callable[[Target], Answer]] = iter(answers)

    def answer(target: Target) -> Answer:
        found = next(left, cancelled)
        return found if isinstance(found, Answer) else found(target)

    return answer


async def send(context: Context, line: ScriptedLine, work: list[Work], workers: int = 1) -> None:
    breaker, forbidden, left = Breaker(context), HeldForbidden(), iter(work)

    async def worker() -> None:
        sender = Sender(context, line, breaker, forbidden)
        for item in left:
            if context.intake.closed:
                return
            await sender.settle(item)

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(worker)
    await conclude_forbidden(context, forbidden)


async def test_the_order_inside_a_worker(clock: Clock) -> None:
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line)

    def seen_at_the_send(target: Target) -> Answer:
        assert commits.events() == [Event.INTENT], "the intent is durable before the bytes leave"
        return cancelled(target)

    line.on_cancel = seen_at_the_send
    await send(context, line, list(works(1)))
    assert commits.events() == [Event.INTENT, Event.CANCELLED]


async def test_a_process_that_stood_still_after_an_intent_does_not_send_under_it(clock: Clock) -> None:
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line)
    record, stood_still = commits.record, []

    async def slow_once(*entries: Entry) -> None:
        await record(*entries)
        if not stood_still and entries and entries[0].event is Event.INTENT:
            stood_still.append(True)
            await anyio.sleep(SEND_WITHIN_S + 1)

    commits.record = slow_once  # type: ignore[method-assign]
    await send(context, line, list(works(1)))
    assert commits.events() == [Event.INTENT, Event.NOT_APPLIED, Event.INTENT, Event.CANCELLED]
    assert len(line.posts) == 1


@pytest.mark.parametrize(
    "answer",
    [
        NO_ANSWER,
        *map(Answer, (200, 204, 302, 400, 403, 404, 408, 409, 410, 421, 422, 425, 500, 502)),
        said(408),
        said(409),
    ],
)
async def test_a_cancel_that_may_have_been_applied_is_never_sent_again(answer: Answer, clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(answer))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(1)))
    assert commits.events() == [Event.INTENT, Event.NO_PROOF]
    assert len(line.posts) == 1


async def test_a_cancel_that_was_not_sent_is_repeated_with_a_new_intent(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(NOT_SENT, NOT_SENT))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(1)))
    assert commits.events() == [Event.INTENT, Event.NOT_APPLIED] * 2 + [Event.INTENT, Event.CANCELLED]
    assert [entry.attempt_no for entry in commits.entries] == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("refused", "becomes"), [(False, State.SKIPPED), (True, State.REJECTED)])
async def test_a_row_that_an_approved_plan_knows_as_settled_is_not_sent(
    refused: bool, becomes: State, clock: Clock
) -> None:
    line, (work,) = ScriptedLine(clock), works(1)
    context, commits = context_of(clock, line)
    why = "rejected in an earlier run"
    context = replace(context, approved={work.target: Approved(Action.NOTHING, why)})
    work.refused = Past(clock.now(), clock.base, 0.0, 600.0) if refused else None

    await send(context, line, [work])

    assert commits.states == {1: becomes}
    elsewhere = f"not sent: {why}, by the ledger that the plan was made with; the ledger of this run does not know it"
    assert [entry.detail for entry in commits.entries] == [why if refused else elsewhere]
    assert (line.posts, line.reads) == ([], [])


async def test_the_budget_of_attempts_is_kept(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: NOT_SENT)
    context, commits = context_of(clock, line, Limits(max_attempts=3))
    await send(context, line, list(works(1)))
    assert len(line.posts) == 3
    assert commits.states[1] is State.FAILED


@pytest.mark.parametrize(
    ("clock_set_by_s", "age_s", "sent"), [(0, 599, 0), (0, 601, 1), (86_400, 60, 0), (-86_400, 601, 1)]
)
async def test_a_refused_target_is_not_sent_within_the_settle_time_even_if_the_clock_was_set(
    clock_set_by_s: float, age_s: float, sent: int, clock: Clock
) -> None:
    """The clock was set between the run in which it was refused and this one."""
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line, Limits(settle_s=600))
    before = TimeBase(clock.base.boot_id, clock.base.offset_s - clock_set_by_s)
    (work,) = works(1)
    work.must_be_read, work.refused = True, Past(before.wall(clock.monotonic()) - age_s, before)
    await send(context, line, [work])
    assert len(line.posts) == sent
    assert commits.states[1] is (State.CANCELLED if sent else State.FAILED)
    if not sent:
        assert f"it was refused {show_duration(age_s)} ago, and may be asked again in" in commits.entries[0].detail


async def test_a_429_pauses_every_worker(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(Answer(429, is_api_error=True, retry_after_s=60.0)))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(20)), workers=4)
    first = line.posts[0][0]
    assert all(at == first or at >= first + 60 for at, _ in line.posts[4:])
    assert set(commits.states.values()) == {State.CANCELLED}


async def test_too_long_a_pause_stops_the_run(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(Answer(429, is_api_error=True, retry_after_s=1e6)))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(5)))
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.STOPPED
    assert commits.states == {1: State.WAITING}
    assert len(line.posts) == 1


async def test_endless_throttling_stops_the_run(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: Answer(429, is_api_error=True))
    context, _ = context_of(clock, line)
    await send(context, line, list(works(5)))
    assert context.intake.halt is not None
    assert len(line.posts) <= 11


async def test_an_outage_of_ten_minutes_makes_few_unknowns_and_is_survived(clock: Clock) -> None:
    began = clock.monotonic()
    line = ScriptedLine(clock)
    line.on_cancel = lambda target: cancelled(target) if clock.monotonic() - began > 600 else Answer(503)
    line.on_page = lambda: Answer(200 if clock.monotonic() - began > 600 else 503)
    context, commits = context_of(clock, line)
    await send(context, line, list(works(100)), workers=8)
    assert context.intake.halt is None
    unknown = [state for state in commits.states.values() if state is State.UNKNOWN]
    assert len(unknown) <= 5 + 8, "those in a row, and those in flight"
    assert len(commits.states) == 100
    assert len(line.pages) < 20, "one probe at a time, further and further apart"


async def test_five_cancels_in_a_row_without_an_answer_are_the_last_before_a_probe(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: NO_ANSWER)
    context, _ = context_of(clock, line)
    probed_after: list[int] = []
    line.on_page = lambda: (probed_after.append(len(line.posts)), Answer(503))[1]
    await send(context, line, list(works(20)))
    assert set(probed_after) == {5}


async def test_an_api_that_stays_away_stops_the_run(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: NOT_SENT, on_page=lambda: NOT_SENT)
    context, commits = context_of(clock, line)
    await send(context, line, list(works(100)), workers=8)
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.STOPPED
    assert set(commits.states.values()) == {State.WAITING}, "nothing failed: it was never sent"


async def test_a_missing_route_halts_at_once_with_the_address(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: said(404, "Cannot POST /v3/appointment/1/cancel"))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(10)))
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CONFIG
    assert "MEETERGO_API_URL" in context.intake.halt.message
    assert commits.states == {1: State.UNKNOWN}


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
async def test_three_pages_of_a_gateway_halt_and_refuse_nothing(status: int, clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: Answer(status))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(20)))
    assert context.intake.halt is not None
    assert list(commits.states.values()) == [State.UNKNOWN] * 3


async def test_nonsense_answers_in_a_row_halt_at_once(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: Answer(200))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(100)))
    assert context.intake.halt is not None
    assert len(line.posts) == 3
    assert list(commits.states.values()) == [State.UNKNOWN] * 3


@pytest.mark.parametrize("others", [0, 2])
async def test_documents_that_do_not_show_the_cancel_halt_and_are_not_taken_for_a_portals(
    others: int, clock: Clock
) -> None:
    answers = [Answer(200)] * others + [lambda target: replace(active(target), status=202)] * 3
    line = ScriptedLine(clock, on_cancel=script(*answers))
    context, commits = context_of(clock, line)

    await send(context, line, list(works(20)))

    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.STOPPED
    assert context.intake.halt.message.startswith("3 answers in a row did not show their appointments cancelled")
    assert list(commits.states.values()) == [State.UNKNOWN] * 3
    assert commits.entries[-1].detail == "the answer 202 shows the appointment, and not that it is cancelled"


async def test_401_halts_and_the_row_is_pending(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(cancelled, said(401)))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(10)))
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CREDENTIAL
    assert commits.states == {1: State.CANCELLED, 2: State.PENDING}


async def test_403_on_every_row_is_the_credentials_fault(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: said(403))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(10)))
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CREDENTIAL
    assert set(commits.states.values()) == {State.PENDING}


def series(count: int) -> list[Work]:
    return [replace(work, target=replace(work.target, entire_series=True)) for work in works(count)]


async def test_403_on_every_series_is_the_credentials_fault_though_they_go_one_by_one(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: said(403))
    context, commits = context_of(clock, line)
    commits.stage(*series(9))

    end = await Runner(context).run()

    assert end.halt is not None
    assert end.halt.exit_code is Exit.CREDENTIAL
    assert (len(line.posts), set(commits.states.values())) == (5, {State.PENDING})


@pytest.mark.parametrize("granted", [0, 1])
async def test_403_on_few_series_is_the_rows_fault_and_each_is_asked_once(granted: int, clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(*[said(403)] * 4, *[cancelled, said(403)] * granted))
    context, commits = context_of(clock, line)
    commits.stage(*series(4 + 2 * granted))

    end = await Runner(context).run()

    assert end.halt is None
    assert len(line.posts) == 4 + 2 * granted
    expected = [State.REJECTED] * 4 + [State.CANCELLED, State.REJECTED] * granted
    assert [commits.states[number] for number in sorted(commits.states)] == expected


async def test_403s_of_targets_that_wait_for_each_other_are_counted_over_all_passes(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: said(403))
    context, commits = context_of(clock, line, Limits(look=Look.NEVER))
    runner, rows = Runner(context), list(works(6))
    commits.stage(*rows[:3])
    await runner._send_all()
    commits.stage(*rows[3:])
    await runner._send_all()
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CREDENTIAL
    assert [name for _, name in line.posts] == [work.target.appointment_id for work in rows[:5]]
    assert set(commits.states.values()) == {State.PENDING}


async def test_a_403_that_was_the_rows_fault_does_not_count_against_the_credential(clock: Clock) -> None:
    """Four looks that were the rows' fault, as a later look showed, and one cancel: not five in a row."""
    line = ScriptedLine(clock, on_read=script(*[said(403)] * 4, active), on_cancel=script(said(403)))
    context, commits = context_of(clock, line)
    works_ = [replace(work, must_be_read=True) for work in works(5)]
    await send(context, line, works_)
    assert context.intake.halt is None
    assert set(commits.states.values()) == {State.REJECTED}


async def test_403_on_every_look_is_the_credentials_fault_as_it_is_on_every_cancel(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=lambda _: said(403))
    context, commits = context_of(clock, line, Limits(look=Look.EACH))
    await send(context, line, list(works(10)))
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CREDENTIAL
    assert commits.states == {}, "nothing is final: another credential may do it"
    assert not line.posts


async def test_403s_on_reads_of_open_outcomes_count_against_the_credential(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=lambda _: said(403))
    context, commits = context_of(clock, line, Limits(look=Look.EACH))
    *open_ones, row = works(5)
    commits.hold(*(Unknown(work, clock.now() - 700, clock.base, None, clock.now() - 700) for work in open_ones))
    commits.stage(row)

    end = await Runner(context).run()

    assert end.halt is not None
    assert end.halt.exit_code is Exit.CREDENTIAL
    assert commits.events(row.target_id) == [], "nothing is final: another credential may do it"


async def test_403s_on_reads_after_a_row_was_held_count_against_the_credential(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=lambda _: said(403), on_cancel=lambda _: said(400))
    context, commits = context_of(clock, line)
    held, *refused = works(5)
    held.must_be_read = True
    await send(context, line, [held, *refused])
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CREDENTIAL
    assert commits.states == {work.target_id: State.REJECTED for work in refused}


@pytest.mark.parametrize("evidence", ["a read", "a page", "a cancel"])
async def test_403_on_looks_is_the_rows_fault_where_the_credential_was_shown_anything(
    evidence: str, clock: Clock
) -> None:
    line = ScriptedLine(clock, on_read=lambda _: said(403))
    context, commits = context_of(clock, line)
    works_ = list(works(11))
    if evidence == "a read":
        line.on_read = script(active, *[said(403)] * 10)
    elif evidence == "a page":
        line.listed = [Appointment("another", is_cancelled=False)]
        await context.read_page(line, Query(0))
    for work in works_[1:] if evidence == "a cancel" else works_:
        work.must_be_read = True
    await send(context, line, works_)
    assert context.intake.halt is None
    assert [commits.states[work.target_id] for work in works_[1:]] == [State.REJECTED] * 10


async def test_an_appointment_that_is_shown_is_no_evidence_that_the_credential_may_cancel(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: said(403))
    context, commits = context_of(clock, line, Limits(look=Look.EACH))
    await send(context, line, list(works(10)))
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.CREDENTIAL
    assert set(commits.states.values()) == {State.PENDING}


async def test_403_on_a_row_among_others_is_the_rows_fault(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(said(403), said(403), cancelled, said(403)))
    context, commits = context_of(clock, line)
    await send(context, line, list(works(5)))
    assert [commits.states[n] for n in (1, 2, 3, 4, 5)] == [
        State.REJECTED,
        State.REJECTED,
        State.CANCELLED,
        State.REJECTED,
        State.CANCELLED,
    ]


@pytest.mark.parametrize(
    ("read", "state"),
    [
        (cancelled, State.ALREADY_CANCELLED),
        (active, State.REJECTED),
        (lambda _: said(404), State.NOT_FOUND),
        (lambda _: NO_ANSWER, State.UNKNOWN),
        (lambda _: said(403), State.REJECTED),
    ],
)
async def test_a_refusal_is_followed_by_a_read(read: Callable[[Target], Answer], state: State, clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=script(said(400)), on_read=read)
    context, commits = context_of(clock, line)
    await send(context, line, list(works(1)))
    assert commits.states[1] is state


@pytest.mark.parametrize(
    ("read", "state", "posts"),
    [
        (cancelled, State.ALREADY_CANCELLED, 0),
        (active, State.CANCELLED, 1),
        (lambda _: said(404), State.NOT_FOUND, 0),
        (lambda _: NO_ANSWER, State.FAILED, 0),
    ],
)
async def test_a_target_that_a_series_may_include_is_read_first(
    read: Callable[[Target], Answer], state: State | None, posts: int, clock: Clock
) -> None:
    line = ScriptedLine(clock, on_read=read)
    context, commits = context_of(clock, line)
    work = next(works(1))
    work.must_be_read = True
    await send(context, line, [work])
    assert commits.states.get(1) is state
    assert len(line.posts) == posts


def document(**facts: Any) -> Callable[[Target], Answer]:
    return lambda target: Answer(200, appointment=Appointment(target.appointment_id, **facts))


@pytest.mark.parametrize(
    ("read", "state", "why"),
    [
        (document(is_cancelled=None), State.REJECTED, "the API does not say whether it is cancelled"),
        (lambda _: said(403), State.REJECTED, "the API does not show it (403: no)"),
        (lambda _: Answer(404), State.FAILED, "not sent: it has to be read first, and no answer of the API came"),
        (lambda _: Answer(200, appointment=Appointment("another", is_cancelled=True)), State.FAILED, "read first"),
    ],
)
async def test_a_reading_that_says_too_little_sends_nothing_and_says_why(
    read: Callable[[Target], Answer], state: State | None, why: str, clock: Clock
) -> None:
    line = ScriptedLine(clock, on_read=read)
    context, commits = context_of(clock, line, Limits(look=Look.EACH))
    await send(context, line, list(works(1)))
    assert not line.posts
    assert commits.states.get(1) is state
    assert why in "".join(entry.detail for entry in commits.entries)


ANNA = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
IN_IT = document(is_cancelled=False, attendee_ids=frozenset({ANNA, "bert"}), group_booking=True)
GONE = document(is_cancelled=False, attendee_ids=frozenset({"bert"}), group_booking=True)


def anna(*, attended: bool = False) -> Work:
    (work,) = works(1)
    target = Target(work.target.appointment_id, attendee_id=ANNA)
    return Work(1, target, work.request, State.PENDING, attempts=0, attended=attended)


async def test_that_an_attendee_is_in_it_is_on_record_before_the_cancel_leaves(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=IN_IT, on_cancel=GONE)
    context, commits = context_of(clock, line)
    await send(context, line, [anna()])
    assert commits.events() == [Event.SEEN_ACTIVE, Event.INTENT, Event.CANCELLED]


@pytest.mark.parametrize(
    ("attended", "look", "state"),
    [(False, Look.NEVER, State.NOT_FOUND), (True, Look.EACH, State.ALREADY_CANCELLED)],
)
async def test_an_attendee_who_is_not_in_it_was_cancelled_only_if_seen_in_it_before(
    attended: bool, look: Look, state: State, clock: Clock
) -> None:
    line = ScriptedLine(clock, on_read=GONE)
    context, commits = context_of(clock, line, Limits(look=look))
    await send(context, line, [anna(attended=attended)])
    assert not line.posts
    assert commits.states[1] is state


async def test_a_series_is_not_done_because_a_look_finds_its_occurrence_cancelled(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=cancelled)
    context, commits = context_of(clock, line, Limits(look=Look.EACH))
    (work,) = works(1)
    work.target = Target(work.target.appointment_id, entire_series=True)
    await send(context, line, [work])
    assert commits.states[1] is State.REJECTED
    assert "look at the series" in commits.entries[-1].detail


async def test_a_refused_series_is_not_done_because_its_occurrence_is_cancelled(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=cancelled, on_cancel=script(said(400)))
    context, commits = context_of(clock, line)
    (work,) = works(1)
    work.target = Target(work.target.appointment_id, entire_series=True)
    await send(context, line, [work])
    assert commits.states[1] is State.REJECTED
    assert "look at the series" in commits.entries[-1].detail


async def test_an_appointment_last_known_as_past_is_read_and_sent_if_it_has_moved(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=document(is_cancelled=False, start="2031-01-01T00:00:00Z"))
    context, commits = context_of(clock, line)
    (work,) = works(1)
    work.start = "1969-01-01T00:00:00Z"
    await send(context, line, [work])
    assert commits.states[1] is State.CANCELLED


async def test_max_errors_counts_data_errors_only(clock: Clock) -> None:
    line = ScriptedLine(clock, on_cancel=lambda _: said(404), on_read=lambda _: said(404))
    context, commits = context_of(clock, line, Limits(max_errors="5%"))
    await send(context, line, list(works(100)))
    assert list(commits.states.values()) == [State.NOT_FOUND] * 6


async def test_403s_that_nobody_could_judge_before_a_stop_stay_pending(clock: Clock) -> None:
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line)

    def forbid(target: Target) -> Answer:
        context.halt(Exit.STOPPED, "stopped")
        return said(403)

    line.on_cancel = forbid
    await send(context, line, list(works(3)))
    assert commits.states == {1: State.PENDING}


async def test_each_look_leaves_alone_what_is_cancelled_already(clock: Clock) -> None:
    line = ScriptedLine(clock, on_read=cancelled)
    context, commits = context_of(clock, line, Limits(look=Look.EACH))
    await send(context, line, list(works(3)))
    assert set(commits.states.values()) == {State.ALREADY_CANCELLED}
    assert not line.posts


async def test_the_looks_come_after_the_long_waits(clock: Clock) -> None:
    """What somebody else cancels while everybody waits for the window is not cancelled again."""
    from datetime import UTC, datetime, timedelta

    from bulk_cancel.core.window import parse_window

    opens = datetime.fromtimestamp(clock.now(), UTC) + timedelta(hours=9)
    window = parse_window(f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M} UTC")
    began = clock.monotonic()
    line = ScriptedLine(clock)
    line.on_read = lambda target: cancelled(target) if clock.monotonic() - began > 3600 else active(target)
    context, commits = context_of(clock, line, Limits(look=Look.EACH, window=window))
    await send(context, line, list(works(20)), workers=8)
    assert not line.posts
    assert set(commits.states.values()) == {State.ALREADY_CANCELLED}


async def test_a_machine_without_a_free_file_halts_the_run_and_is_no_trouble_of_the_api(clock: Clock) -> None:
    """It would wait half an hour for an API that is well. Nothing left: the row is to be sent, not to be looked up."""
    line = ScriptedLine(clock, on_cancel=lambda _: replace(NOT_SENT, out_of_files=True))
    context, commits = context_of(clock, line)
    (work,) = works(1)
    await send(context, line, [work])
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.STOPPED
    assert "ulimit -n" in context.intake.halt.message
    assert (len(line.posts), commits.states[1]) == (1, State.WAITING)


async def test_the_outcomes_that_a_full_disk_does_not_take_are_one_line(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line, Limits(look=Look.NEVER))
    context = replace(context, lines=[line] * 8)
    commits.stage(*works(8))
    record, intents = commits.record, anyio.Event()

    async def until_the_disk_is_full(*entries: Entry) -> None:
        if any(entry.event is Event.CANCELLED for entry in entries):
            await intents.wait()
            raise LedgerDiskError("The disk refused the ledger.")
        await record(*entries)
        if len(commits.entries) == 8:
            intents.set()

    commits.record = until_the_disk_is_full  # type: ignore[method-assign]
    await Runner(context)._send_all()
    assert context.intake.halt is not None
    assert context.intake.halt.exit_code is Exit.DISK
    (told,) = capsys.readouterr().err.splitlines()
    named = [work.target.appointment_id for work in works(8)]
    assert "NOT RECORDED" in told
    assert sum(name in told for name in named) == 5
    assert "and 3 more ended as 8 'cancelled' (HTTP 201)" in told
    assert "reads each appointment before anything is sent to it again" in told


async def test_a_disk_that_is_full_while_the_run_drains_is_what_it_ends_with(clock: Clock) -> None:
    line = ScriptedLine(clock)
    context, commits = context_of(clock, line)
    commits.stage(*works(1))
    record = commits.record

    async def until_the_run_is_stopped(*entries: Entry) -> None:
        if any(entry.event is Event.CANCELLED for entry in entries):
            context.halt(Exit.STOPPED, "The time of 1 h is over.")
            raise LedgerDiskError("The disk refused the ledger.")
        await record(*entries)

    commits.record = until_the_run_is_stopped  # type: ignore[method-assign]
    end = await Runner(context).run()
    assert end.halt == Halt(Exit.DISK, "The disk refused the ledger.")
    context.halt(Exit.STOPPED, "Stopped by SIGTERM.")
    context.halt(Exit.DISK, "Another error.")
    assert context.intake.halt == end.halt


class _SlowCommits(MemoryCommits):
    """Each commit takes a second."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = anyio.Event()

    async def record(self, *entries: Entry) -> None:
        self.begun.set()
        await anyio.sleep(1)
        await super().record(*entries)


@pytest.mark.parametrize("after_s", [0.5, 1.5], ids=["in its commit", "in a pause"])
async def test_a_probe_that_a_halt_interrupts_gives_its_slot_back(after_s: float, clock: Clock) -> None:
    line = ScriptedLine(clock)
    context, _ = context_of(clock, line)
    commits = _SlowCommits()
    context = replace(context, commits=commits)
    for _ in range(1000):
        context.health.note(Asked.READ, Kind.NO_ANSWER)
    breaker = Breaker(context)
    breaker.probe = Query(0, page_size=1)
    async with anyio.create_task_group() as group:
        group.start_soon(breaker.passage, line)
        await commits.begun.wait()
        assert context.limiter._held == 1
        context.limiter.throttled(clock.monotonic(), 30.0)
        await anyio.sleep(after_s)
        context.intake.close(Halt(Exit.STOPPED, "stopped"))
    assert (context.limiter._held, line.pages) == (0, [])
