"""One target through a worker: acquire → intent → POST → classify → outcome. The order is the safety; do not change it.

The slot is acquired before the intent, or every crash while waiting for a slot would leave a false unknown. The intent
is durable before the first byte leaves, or a crash could hide a cancel that was sent. Once it is durable, everything is
checked again: a process that was stopped for long does not send, since others may have settled its intent as unknown,
and nothing is sent by an old reading, outside the send window or in a pause. A drain does not interrupt anything from
the send to the outcome: a lost outcome costs a read, a lost intent could cost a second cancel.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum

from bulk_cancel.api.port import Line
from bulk_cancel.core.actions import SENT, Action, Look
from bulk_cancel.core.clock import Past
from bulk_cancel.core.model import Answer, Appointment, Work
from bulk_cancel.core.outcome import NO_CANCEL_SHOWN, ONE_OCCURRENCE, Kind, classify_cancel, resolve_refusal
from bulk_cancel.core.readings import Reading, ReadResult, see
from bulk_cancel.core.states import Event
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.breaker import Breaker
from bulk_cancel.engine.context import Context, no_route, refused_credential
from bulk_cancel.engine.health import Asked
from bulk_cancel.engine.retrying import Attempts
from bulk_cancel.errors import Exit

_NEEDS_NO_CANCEL = {
    Action.NOTHING: Event.SKIPPED,  #: an approved plan knows it as settled, this ledger does not
    Action.SKIP: Event.SKIPPED,
    Action.ALREADY_CANCELLED: Event.SEEN_CANCELLED,
    Action.NOT_FOUND: Event.SEEN_MISSING,
    Action.REFUSED: Event.SEEN_REFUSED,
}
#: Number of targets whose 403 answers are blamed on the credential, if no such request was granted.
FORBIDDEN_MEANS_CREDENTIAL = 5
#: What a 403 means for a row when it is the row's own fault.
_FORBIDDEN = {Asked.CANCEL: Event.REJECTED, Asked.READ: Event.SEEN_REFUSED}


class Step(Enum):
    """What is to be done with a target next."""

    DONE = "done"  #: nothing in this run
    AGAIN = "again"  #: send again, after a pause
    PACED = "paced"  #: send again; the limiter already pauses


class HeldForbidden(dict[int, tuple[Work, Asked, Answer]]):
    """The 403 answers, by target, of which it is not known yet whether the row or the credential is at fault.

    One rule for cancels and reads: it is the row, once this run has seen the credential granted the same for another
    row (a cancel that was carried out; an appointment that was shown). Until then none is final: many are blamed on
    the credential, few on the rows. A 403 proves that nothing was applied, so their targets are pending meanwhile and
    keep no other one waiting (series are sent one by one). No pass of the run hands them out again.
    """


class Sender:
    """Settles targets, one at a time, over one line. `forbidden` and `breaker` are shared by all senders of a run.

    With `claims` an answer that shows its target cancelled is kept there, by target, and recorded by the caller.
    """

    def __init__(
        self,
        context: Context,
        line: Line,
        breaker: Breaker,
        forbidden: HeldForbidden,
        claims: dict[int, Answer] | None = None,
    ) -> None:
        self._context = context
        self._line = line
        self._breaker = breaker
        self._held_forbidden = forbidden
        self._claims = claims
        self._why = ""  #: why the last attempt failed

    async def settle(self, work: Work) -> None:
        """Bring a sendable target as far as this run can."""
        if why := self._why_too_early(work):
            await self._context.move(work, Event.GIVEN_UP, detail=f"not sent: {why}")
            return
        step = await self._attempt(work)
        if step is not Step.DONE:
            await self._again(work, step)

    def _why_too_early(self, work: Work) -> str:
        """Return why a refused target may not be sent again yet: the refused cancel may still be carried out."""
        clock = self._context.clock
        if work.refused is None or self._context.decide(work).action not in SENT:
            return ""
        age_s, left_s = work.refused.age_s(clock.base, clock.monotonic()), math.ceil(self._left_s(work.refused))
        told = f"it was refused {show_duration(math.floor(age_s))} ago, and may be asked again"
        return f"{told} in {show_duration(left_s)}" if left_s > 0 else ""

    def _left_s(self, past: Past) -> float:
        """Return the seconds until its settle time is over, by the longer one: its own or this run's."""
        clock = self._context.clock
        return max(self._context.limits.settle_s, past.settle_s) - past.age_s(clock.base, clock.monotonic())

    async def _again(self, work: Work, first: Step) -> None:
        """Repeat a cancel that is proven not applied. Every repetition is a new attempt with its own intent."""
        steps = [first]

        async def attempt() -> Step:
            step = steps.pop() if steps else await self._attempt(work)
            while step is Step.PACED:
                step = await self._attempt(work)
            return step

        attempts = Attempts(self._context.limits.max_attempts, first_s=1, most_s=60)
        retrying = attempts.retrying(lambda step: step is Step.AGAIN, self._context.limiter.jitter, self._context.pause)
        if await retrying(attempt) is Step.AGAIN and not self._context.intake.closed:
            await self._context.move(work, Event.GIVEN_UP, detail=f"not sent: {self._why}")

    async def _attempt(self, work: Work) -> Step:
        """Wait for the API, the send window and a slot; read if needed, decide, and send if that is still right."""
        context = self._context
        await self._breaker.passage(self._line)
        if not await context.hours():
            return Step.DONE
        step = await self._prepare(work)
        if step is not None:
            return step
        await context.move(work, Event.INTENT, detail=work.request.reason or "")
        if held_back := self._why_not_now(work):
            context.limiter.give_back()
            return await self._held_back(work, *held_back)
        return await self._send(work)

    async def _prepare(self, work: Work) -> Step | None:
        """Hold a slot for the cancel, and decide whether it may be sent; None: the slot is held and it may.

        A read and the cancel that rests on it hold their slots together, or the reading would be old at the send.
        """
        context = self._context
        is_lagging = context.decide(work).action in SENT and self._may_lag(work)
        if is_lagging and (step := await self._read_ahead(work)):
            return step
        needs_read = is_lagging or context.decide(work).action is Action.READ_FIRST
        if not await context.turn(2 if needs_read else 1):
            return Step.DONE
        if needs_read:
            work.reading = await context.reading(self._line, work, holds_slot=True)
            if work.reading is None:
                context.limiter.give_back()
                return self._unread()
        if step := await self._decide(work):
            context.limiter.give_back()
            return step
        return None if await context.due() else Step.DONE

    def _may_lag(self, work: Work) -> bool:
        """Whether a series was sent lately: it may include this target, and a replica may not show that yet.

        Where its run died after the intent it may have left that much later.
        """
        return work.series is not None and self._left_s(work.series) > -self._context.limits.send_within_s

    async def _read_ahead(self, work: Work) -> Step | None:
        """Read it some seconds after the series, and wait again before the reading that decides."""
        context, lag_s = self._context, self._context.limits.lag_s
        await context.pause(lag_s)
        work.reading = await context.reading(self._line, work)
        if work.reading is None:
            return self._unread()
        if step := await self._decide(work):
            return step
        await context.pause(lag_s)
        return None

    def _unread(self) -> Step:
        self._why = "it has to be read first, and no answer of the API came"
        return Step.DONE if self._context.intake.closed else Step.AGAIN

    async def _decide(self, work: Work) -> Step | None:
        """Decide by the newest reading, and record what needs no cancel; None: send it; AGAIN: it is too old."""
        context, (action, why, is_change) = self._context, self._context.decide(work)
        event = Event.CHANGED if is_change else _NEEDS_NO_CANCEL.get(action)
        if action is Action.NOTHING and work.refused is not None:
            event = Event.SEEN_REFUSED  # it was refused, and a later try of another run came to nothing
        elif action is Action.NOTHING:
            why = f"not sent: {why}, by the ledger that the plan was made with; the ledger of this run does not know it"
        if event is Event.SEEN_REFUSED and work.reading is not None and work.reading.is_forbidden:
            return await self._hold_forbidden(work, Asked.READ, Answer(message=why))
        if event is not None:
            await context.move(work, event, Answer(appointment=_document(work.reading)), why)
            return Step.DONE
        if action is not Action.CANCEL:
            self._why = why
            return Step.AGAIN
        await self._note_attendee(work)
        return None

    async def _note_attendee(self, work: Work) -> None:
        """Record before the cancel that the attendee is in the appointment: else a later absence proves nothing."""
        is_in_it = see(work.target, work.reading) is ReadResult.ACTIVE
        if work.target.attendee_id is not None and not work.attended and is_in_it:
            await self._context.move(work, Event.SEEN_ACTIVE, detail="the attendee is in it")
            work.attended = True

    def _why_not_now(self, work: Work) -> tuple[str, Step] | None:
        """Check everything again once the intent is durable, right before the first byte; None: send.

        With a slow disk or a suspended machine any time may have passed.
        """
        context = self._context
        now, limit = context.clock.monotonic(), context.limits.time
        if limit is not None and not limit.left_s(now):
            context.halt(Exit.STOPPED, limit.sentence)
        if context.intake.closed:
            return "the run was stopped", Step.DONE
        if now - work.moved_at > context.limits.send_within_s:
            return "too late: the process was stopped meanwhile", Step.AGAIN
        if not context.is_open_hour():
            return "the send window has closed", Step.PACED
        if context.limiter.is_paused:
            return "the API has asked for a pause", Step.PACED
        decision = context.decide(work)
        return None if decision.action is Action.CANCEL else (decision.why, Step.AGAIN)

    async def _held_back(self, work: Work, why: str, step: Step) -> Step:
        self._why = why
        await self._context.move(work, Event.NOT_APPLIED, Answer(bytes_left=False, message=f"not sent: {why}"))
        return step

    async def _send(self, work: Work) -> Step:
        context, held_back = self._context, list[tuple[str, Step]]()

        def may_leave() -> bool:
            """The connection may have taken its time: everything is looked at once more."""
            held_back.extend(filter(None, [self._why_not_now(work)]))
            return not held_back

        context.limiter.use()
        started_at = context.clock.monotonic()
        context.counters.posts += 1
        context.counters.unseen += work.reading is None and context.limits.look is Look.AUTO
        context.counters.in_flight += 1
        try:
            answer = await self._line.cancel(work.target, work.request, may_leave)
        finally:
            context.counters.in_flight -= 1
        context.heed(answer, started_at, Asked.CANCEL)
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
        conclude = _CONCLUSIONS[outcome.kind]
        try:
            return await (self._held_back(work, *held_back[0]) if held_back else conclude(self, work, outcome.answer))
        except Exception:
            self._context.unrecorded.append((work, outcome))
            raise

    async def _cancelled(self, work: Work, answer: Answer) -> Step:
        if self._claims is None:
            await self._context.move(work, Event.CANCELLED, answer)
        else:
            self._claims[work.target_id] = answer
        self._context.health.granted |= {Asked.CANCEL, Asked.READ}
        return Step.DONE

    async def _refused(self, work: Work, answer: Answer) -> Step:
        reading = await self._context.reading(self._line, work)
        event = resolve_refusal(work.target, answer, reading, attended=work.attended)
        why = "refused; whether someone else had cancelled it could not be read" if reading is None else answer.message
        if reading is not None and see(work.target, reading) is ReadResult.ONE_OCCURRENCE:
            why = f"{answer.message or 'refused'}; {ONE_OCCURRENCE}"
        await self._context.move(work, event, Answer(answer.status, appointment=_document(reading)), why)
        return Step.DONE

    async def _not_sent(self, work: Work, answer: Answer) -> Step:
        self._why = f"the API could not be reached ({answer.message})" if answer.message else "no byte of it left"
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

    async def _not_shown(self, work: Work, answer: Answer) -> Step:
        return await self._no_proof(work, replace(answer, message=f"the answer {answer.status} {NO_CANCEL_SHOWN}"))

    async def _no_route(self, work: Work, answer: Answer) -> Step:
        self._context.halt(Exit.CONFIG, no_route(answer))
        return await self._no_proof(work, answer)

    async def _unauthorised(self, work: Work, answer: Answer) -> Step:
        self._context.halt(Exit.CREDENTIAL, refused_credential(answer))
        await self._context.move(work, Event.CREDENTIAL_REFUSED, answer)
        return Step.DONE

    async def _forbidden(self, work: Work, answer: Answer) -> Step:
        if Asked.CANCEL not in self._context.health.granted:
            await self._context.move(work, Event.CREDENTIAL_REFUSED, answer)
        self._context.health.forbidden[Asked.CANCEL].add(work.target_id)
        return await self._hold_forbidden(work, Asked.CANCEL, answer)

    async def _hold_forbidden(self, work: Work, asked: Asked, answer: Answer) -> Step:
        granted = self._context.health.granted
        if asked in granted:
            await self._context.move(work, _FORBIDDEN[asked], answer)
            return Step.DONE
        self._held_forbidden[work.target_id] = work, asked, answer
        _blame_credential(self._context, asked, answer)
        return Step.DONE


def _blame_credential(context: Context, asked: Asked, answer: Answer) -> None:
    """Halt where so much was forbidden, and nothing of the kind granted, that the row is not at fault."""
    if asked not in context.health.granted and context.health.denied >= FORBIDDEN_MEANS_CREDENTIAL:
        why = f"403: {answer.message}" if answer.message else "403"
        context.halt(Exit.CREDENTIAL, f"The API forbids every {asked} ({why}): the credential may not do it.")


async def conclude_forbidden(context: Context, forbidden: HeldForbidden) -> None:
    """Record the held 403 answers when nothing more is sent: few are blamed on the rows, many on the credential.

    A run that was stopped before leaves their targets pending. What was forbidden since they were held counts, too.
    """
    for _, asked, answer in forbidden.values():
        _blame_credential(context, asked, answer)
    for work, asked, answer in forbidden.values():
        if asked in context.health.granted or not context.intake.closed:
            await context.move(work, _FORBIDDEN[asked], answer)
    forbidden.clear()


_CONCLUSIONS: dict[Kind, Callable[[Sender, Work, Answer], Awaitable[Step]]] = {
    Kind.CANCELLED: Sender._cancelled,
    Kind.REFUSED: Sender._refused,
    Kind.NOT_SENT: Sender._not_sent,
    Kind.NOT_PROCESSED: Sender._not_processed,
    Kind.UNAUTHORISED: Sender._unauthorised,
    Kind.FORBIDDEN: Sender._forbidden,
    Kind.NO_ROUTE: Sender._no_route,
    Kind.NONSENSE: Sender._no_proof,
    Kind.NOT_SHOWN: Sender._not_shown,
    Kind.NO_ANSWER: Sender._no_proof,
}


def _document(reading: Reading | None) -> Appointment | None:
    return reading.appointment if reading else None
