"""One target through a worker: acquire → intent → POST → classify → outcome. The order is the safety; do not change it.

The slot is acquired before the intent, or every crash while waiting for a slot would leave a false unknown. The intent
is durable before the first byte leaves, or a crash could hide a cancel that was sent. A process that was stopped for
long in between does not send: others may have taken its intent for unknown, and judged it. From the intent to the
outcome nothing may be interrupted by a drain: a lost outcome costs a read, a lost intent could cost a second cancel.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

import anyio
from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

from bulk_cancel.api.port import Line
from bulk_cancel.core.actions import Action, decide
from bulk_cancel.core.model import Answer, Appointment, Work
from bulk_cancel.core.outcome import ONE_OCCURRENCE, Kind, Outcome, classify_cancel, resolve_refusal
from bulk_cancel.core.readings import Reading, ReadResult, see
from bulk_cancel.core.states import Event
from bulk_cancel.engine.breaker import Breaker
from bulk_cancel.engine.context import Context, no_route
from bulk_cancel.engine.retrying import random_wait
from bulk_cancel.errors import Exit

_NEEDS_NO_CANCEL = {
    Action.SKIP: Event.SKIPPED,
    Action.ALREADY_CANCELLED: Event.SEEN_CANCELLED,
    Action.NOT_FOUND: Event.SEEN_MISSING,
    Action.REFUSED: Event.SEEN_REFUSED,
}
#: So many 403 answers before any success mean that the credential, not the rows, is at fault.
FORBIDDEN_MEANS_CREDENTIAL = 5


class Step(Enum):
    """What is to be done with a target next."""

    DONE = "done"  #: nothing in this run
    AGAIN = "again"  #: send again, after a pause
    PACED = "paced"  #: send again; the limiter's pause is pause enough


@dataclass
class HeldForbidden:
    """The 403 answers nobody can interpret yet: a row's own fault, or the credential's.

    They are held back from the ledger until a success says "the rows'" or their number says "the credential's". If the
    program dies meanwhile they are unknown, which costs a read each.
    """

    held: list[tuple[Work, Answer]] = field(default_factory=list)
    credential_works: bool = False


class Sender:
    """Settles targets, one at a time, over one line. `doubts` and `breaker` are shared by all senders of a run."""

    def __init__(self, context: Context, line: Line, breaker: Breaker, forbidden: HeldForbidden) -> None:
        self._context = context
        self._line = line
        self._breaker = breaker
        self._held_forbidden = forbidden

    async def settle(self, work: Work) -> None:
        """Bring a sendable target as far as this run can."""
        step = await self._attempt(work)
        if step is not Step.DONE:
            await self._again(work, step)

    async def _turn(self, work: Work) -> bool:
        """Wait for everything that has to be waited for, then look whether it is still to be sent, then take a slot.

        The looks come after the long waits (an outage, a closed window), or they would be hours old at the send.
        """
        context = self._context
        while True:
            await self._breaker.passage(self._line)
            if not await context.hours() or not await self._to_be_sent(work) or not await context.turn():
                return False
            if context.is_open_hour():
                return True
            context.limiter.give_back()

    async def _to_be_sent(self, work: Work) -> bool:
        """Decide, with a reading where one is needed, and record what needs no cancel."""
        context = self._context
        left_out = context.foresight.left_out.get(work.target)
        if left_out is not None:
            action, why = left_out
            await context.move(work, _NEEDS_NO_CANCEL.get(action, Event.SKIPPED), detail=why)
            return False
        reading = context.foresight.seen.get(work.target.appointment_id)
        if self._decided(work, reading)[0] is Action.READ_FIRST:
            reading = await context.reading(self._line, work)
            if reading is None:
                return False
        action, why = self._decided(work, reading)
        event = _NEEDS_NO_CANCEL.get(action)
        if event is not None:
            await context.move(work, event, Answer(appointment=_document(reading)), why)
        elif action is Action.CANCEL:
            await self._note_attendee(work, reading)
        return action is Action.CANCEL

    def _decided(self, work: Work, reading: Reading | None) -> tuple[Action, str]:
        context = self._context
        return decide(work.target, work.request, reading, context.expected(work), context.rules())

    async def _note_attendee(self, work: Work, reading: Reading | None) -> None:
        """Have it on record before the cancel leaves that the attendee was in it: what absence proves hangs on that."""
        if work.target.attendee_id is not None and not work.attended and see(work.target, reading) is ReadResult.ACTIVE:
            await self._context.move(work, Event.SEEN_ACTIVE, detail="the attendee is in it")
            work.attended = True

    async def _again(self, work: Work, first: Step) -> None:
        """Repeat what is proven not to have been applied. Every repetition is a new attempt with its own intent."""
        steps = [first]

        async def attempt() -> Step:
            step = steps.pop() if steps else await self._attempt(work)
            while step is Step.PACED:
                step = await self._attempt(work)
            return step

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._context.limits.max_attempts),
            wait=random_wait(self._context.limiter.jitter, 1, 60),
            retry=retry_if_result(lambda step: step is Step.AGAIN),
            retry_error_callback=lambda _: Step.AGAIN,
            sleep=self._sleep,
        )
        if await retrying(attempt) is Step.AGAIN and not self._context.intake.closed:
            await self._context.move(work, Event.GIVEN_UP, detail="not sent: the API could not be reached")

    async def _sleep(self, seconds: float) -> None:
        with self._context.intake.waiting():
            await anyio.sleep(seconds)

    async def _attempt(self, work: Work) -> Step:
        context = self._context
        if not await self._turn(work):
            return Step.DONE
        await context.move(work, Event.INTENT)
        if context.clock.elapsed() - work.moved_at > context.limits.send_within_s:
            context.limiter.give_back()
            return await self._not_sent(work, Answer(bytes_left=False, message="too late: the process stood still"))
        context.limiter.use()
        started_at = context.clock.monotonic()
        context.counters.posts += 1
        context.counters.in_flight += 1
        try:
            answer = await self._line.cancel(work.target, work.request)
        finally:
            context.counters.in_flight -= 1
        context.heed(answer, started_at)
        outcome = classify_cancel(work.target, answer)
        self._breaker.note(outcome.kind)
        context.log.debug(
            "attempt.answered",
            target=work.target_id,
            attempt=work.attempts,
            outcome=outcome.kind.value,
            status=answer.status,
            message=answer.message,
            duration_ms=round((context.clock.monotonic() - started_at) * 1000),
        )
        with _told_if_lost(work, outcome):
            return await self._conclude(work, outcome)

    async def _conclude(self, work: Work, outcome: Outcome) -> Step:
        return await _CONCLUSIONS[outcome.kind](self, work, outcome.answer)

    async def _cancelled(self, work: Work, answer: Answer) -> Step:
        await self._context.move(work, Event.CANCELLED, answer)
        if not self._held_forbidden.credential_works:
            await self._dispel_doubts()
        return Step.DONE

    async def _dispel_doubts(self) -> None:
        self._held_forbidden.credential_works = True
        held, self._held_forbidden.held = self._held_forbidden.held, []
        for work, answer in held:
            await self._context.move(work, Event.REJECTED, answer)

    async def _refused(self, work: Work, answer: Answer) -> Step:
        reading = await self._context.reading(self._line, work)
        event = resolve_refusal(work.target, answer, reading, attended=work.attended)
        why = "refused; whether someone else had cancelled it could not be read" if reading is None else answer.message
        if reading is not None and see(work.target, reading) is ReadResult.ONE_OCCURRENCE:
            why = f"{answer.message or 'refused'}; {ONE_OCCURRENCE}"
        await self._context.move(work, event, Answer(answer.status, appointment=_document(reading)), why)
        return Step.DONE

    async def _not_sent(self, work: Work, answer: Answer) -> Step:
        await self._context.move(work, Event.NOT_APPLIED, answer)
        return Step.AGAIN

    async def _not_processed(self, work: Work, answer: Answer) -> Step:
        await self._context.move(work, Event.NOT_APPLIED, answer)
        await self._context.limiter.tell_pause()
        return Step.PACED

    async def _no_proof(self, work: Work, answer: Answer) -> Step:
        detail = answer.message or (f"the answer {answer.status} proves nothing" if answer.status else "no answer")
        await self._context.move(work, Event.NO_PROOF, answer, detail)
        return Step.DONE

    async def _no_route(self, work: Work, answer: Answer) -> Step:
        self._context.halt(Exit.CONFIG, no_route(answer))
        return await self._no_proof(work, answer)

    async def _unauthorised(self, work: Work, answer: Answer) -> Step:
        self._context.halt(Exit.CREDENTIAL, f"The API refuses the credential (401). {answer.message}".strip())
        await self._context.move(work, Event.CREDENTIAL_REFUSED, answer)
        return Step.DONE

    async def _forbidden(self, work: Work, answer: Answer) -> Step:
        if self._held_forbidden.credential_works:
            await self._context.move(work, Event.REJECTED, answer)
            return Step.DONE
        self._held_forbidden.held.append((work, answer))
        if len(self._held_forbidden.held) >= FORBIDDEN_MEANS_CREDENTIAL:
            self._context.halt(
                Exit.CREDENTIAL,
                f"The API forbids every cancel (403): the credential may not do it. {answer.message}".strip(),
            )
        return Step.DONE


async def conclude_forbidden(context: Context, forbidden: HeldForbidden) -> None:
    """Decide what is still in doubt when all senders are done: few 403s are rows, many are the credential.

    A run that was stopped before it could tell leaves them pending.
    """
    held, forbidden.held = forbidden.held, []
    for work, answer in held:
        await context.move(work, Event.CREDENTIAL_REFUSED if context.intake.closed else Event.REJECTED, answer)


_CONCLUSIONS: dict[Kind, Callable[[Sender, Work, Answer], Awaitable[Step]]] = {
    Kind.CANCELLED: Sender._cancelled,
    Kind.REFUSED: Sender._refused,
    Kind.NOT_SENT: Sender._not_sent,
    Kind.NOT_PROCESSED: Sender._not_processed,
    Kind.UNAUTHORISED: Sender._unauthorised,
    Kind.FORBIDDEN: Sender._forbidden,
    Kind.NO_ROUTE: Sender._no_route,
    Kind.NONSENSE: Sender._no_proof,
    Kind.NO_ANSWER: Sender._no_proof,
}


def _document(reading: Reading | None) -> Appointment | None:
    return reading.appointment if reading else None


@contextmanager
def _told_if_lost(work: Work, outcome: Outcome) -> Iterator[None]:
    """The emergency line: an outcome that cannot be recorded goes to stderr, in a form a person can act on."""
    try:
        yield
    except Exception:
        attendee = f" attendee {work.target.attendee_id}" if work.target.attendee_id else ""
        line = (
            f"bulk-cancel: NOT RECORDED: appointment {work.target.appointment_id}{attendee}: attempt {work.attempts} "
            f"ended as '{outcome.kind.value}' (HTTP {outcome.answer.status or 'none'}). The ledger holds the intent: "
            "the next run reads the appointment before anything is sent to it again."
        )
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)
        raise
