"""Carries out a staged run: recover, reconcile, send, reconcile. Every start recovers; no clean shutdown is needed."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from bulk_cancel.api.port import Line, Page, Query
from bulk_cancel.core.exit_codes import Halt
from bulk_cancel.core.model import Answer, Work
from bulk_cancel.core.outcome import UNVERIFIED
from bulk_cancel.core.readings import ReadResult, is_missing_route, is_refusal, see
from bulk_cancel.core.retry import show_long_pause
from bulk_cancel.core.states import Event
from bulk_cancel.core.text import clean
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.breaker import Breaker
from bulk_cancel.engine.context import Context, no_route, refused_credential
from bulk_cancel.engine.feed import Feed
from bulk_cancel.engine.reconcile import Reconciled, Reconciler, read_surely
from bulk_cancel.engine.retrying import Attempts
from bulk_cancel.engine.sender import HeldForbidden, Sender, conclude_forbidden
from bulk_cancel.engine.unknowns import open_due_in_s
from bulk_cancel.engine.unrecorded import tell_unrecorded
from bulk_cancel.errors import BulkCancelError, ConfigError, CredentialError, Exit, UnreachableError
from bulk_cancel.ledger.port import Ledger

#: Most passes of sending and reconciling in a row that send and settle nothing: what is left waits for another run.
_MOST_IN_VAIN = 5
#: Most looks whether what others have open is settled: some ten minutes, with the usual seconds between two reads.
_MOST_LOOKS = 100
#: Most reads of a canary, and how many consecutive ones have to show it cancelled.
_CANARY_READS, _AGREEING_READS = 9, 2
#: Of the first read, which shows that the API can be used.
_PREFLIGHT = Attempts(4, first_s=0.5, most_s=5)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, apart from what is in the ledger."""

    halt: Halt | None
    reconciled: Reconciled


class Runner:
    """One run over a ledger with its rows staged."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._breaker = Breaker(context)
        self._held_forbidden = HeldForbidden()
        self._canary_done = False
        self._reconciler = Reconciler(context)

    async def run(self) -> RunEnd:
        """Carry out the whole run. An error becomes the halt of its end, with the error's exit code."""
        return await self._halting(self._run)

    async def reconcile_only(self) -> RunEnd:
        """Recover and reconcile; send nothing."""
        return await self._halting(self._reconcile_only)

    async def _halting(self, steps: Callable[[], Awaitable[Reconciled]]) -> RunEnd:
        reconciled = Reconciled()
        try:
            reconciled = await steps()
        except BulkCancelError as error:
            self._context.halt_for(error)
        except Exception as error:
            self._halt_for_bug(error)
        return RunEnd(self._context.intake.halt, reconciled)

    def _halt_for_bug(self, error: Exception) -> None:
        if isinstance(error, OSError) and error.filename:  # a missing file, or a disk error
            self._context.halt(Exit.DISK, f"{error.strerror}: {error.filename}.")
            return
        self._context.halt(Exit.BUG, f"A bug of bulk-cancel: {type(error).__name__}: {clean(str(error))}.")
        self._context.log.error("run.bug", exc_info=error)

    async def _run(self) -> Reconciled:
        await self._recover()
        if not await self._something_to_do():
            return Reconciled()
        await self._refuse_long_pause()
        await self._preflight()
        first = await (self._reconciled() if self._context.limits.canary else self._reconciler.run())
        reconciled = await self._passes(first)
        await conclude_forbidden(self._context, self._held_forbidden)
        return reconciled

    async def _reconcile_only(self) -> Reconciled:
        await self._recover()
        counters, scope = self._context.counters, self._context.scope
        counters.unknown = await self._context.commits.ask(lambda ledger: ledger.unknown_count(scope))
        if not counters.unknown:
            if left_s := await self._context.limiter.long_pause_s():
                self._context.log.warning("run.paused", told=show_long_pause(left_s))
            return Reconciled()
        await self._refuse_long_pause()
        await self._preflight()
        return await self._reconciled()

    async def _reconciled(self) -> Reconciled:
        """Reconcile; with `wait`, again when the last unanswered cancel can no longer be applied."""
        reconciled = await self._reconciler.run()
        if self._context.limits.wait and reconciled.unknown > reconciled.undecided:
            await self._wait_until_due(reconciled.due_in_s)
            reconciled = await self._reconciler.run()
        return reconciled

    async def _refuse_long_pause(self) -> None:
        """Halt when an earlier run was asked for a pause that is longer than a run waits, and it is not over."""
        if left_s := await self._context.limiter.long_pause_s():
            self._context.halt(Exit.STOPPED, show_long_pause(left_s))

    async def _recover(self) -> None:
        run_no, at, scope = self._context.run_no, self._context.clock.now(), self._context.scope
        recovered = await self._context.commits.ask(lambda ledger: ledger.recover(run_no, at, scope))
        if recovered:
            self._context.log.warning("run.recovered", unknown=recovered)

    async def _something_to_do(self) -> bool:
        ask, run_no, scope = self._context.commits.ask, self._context.run_no, self._context.scope
        counters = self._context.counters
        counters.targets = await ask(lambda ledger: ledger.sendable_count(run_no, scope))
        counters.unknown = await ask(lambda ledger: ledger.unknown_count(scope))
        return bool(counters.targets or counters.unknown)

    async def _passes(self, reconciled: Reconciled) -> Reconciled:
        context = self._context
        if self._halted_by_a_canary(reconciled):
            return reconciled
        in_vain, done = 0, self._done(reconciled)
        while in_vain < _MOST_IN_VAIN:
            await self._send_all()
            if context.intake.closed:
                break
            left_to_a_person, reconciled = reconciled.undecided, Reconciled()
            if await context.commits.ask(lambda ledger: ledger.unknown_count(context.scope)):
                reconciled = await self._reconciled()
                frees_others = reconciled.sendable or reconciled.settled or reconciled.undecided > left_to_a_person
                if not (frees_others or context.limits.wait):
                    break
            left = await context.commits.ask(lambda ledger: ledger.sendable_count(context.run_no, context.scope))
            if left <= len(self._held_forbidden):
                break
            await self._wait_for_others()  # left are those that waited for an open cancel
            before, done = done, self._done(reconciled)
            in_vain = in_vain + 1 if done == before else 0
        return reconciled

    def _done(self, reconciled: Reconciled) -> tuple[object, ...]:
        """Return what changes with everything that is sent or settled."""
        counters = self._context.counters
        return counters.posts, dict(counters.states), reconciled.undecided

    def _halted_by_a_canary(self, reconciled: Reconciled) -> bool:
        """Halt while earlier cancels have no outcome, or a canary is unverified; return whether the run is halted."""
        context = self._context
        if reconciled.unverified:
            context.halt(Exit.STOPPED, _not_verified(reconciled.unverified[0]), for_a_person=True)
        elif context.limits.canary and reconciled.unknown > reconciled.undecided:
            when = f"in {show_duration(math.ceil(reconciled.due_in_s))}" if reconciled.due_in_s > 0 else "now"
            told = "With --canary nothing is sent before earlier cancels have an outcome"
            context.halt(Exit.STOPPED, f"{told}; reads may settle them {when}.")
        return context.intake.closed

    async def _wait_for_others(self) -> None:
        """With `wait`, wait until what another account has open is settled: a series meets no other open target.

        That account reads it when its settle time is over, which takes a while; what nobody reads is not waited for. An
        own open target is waited for where it is read.
        """
        context = self._context
        due_in_s = partial(open_due_in_s, clock=context.clock, settle_s=context.limits.settle_s)
        if not context.limits.wait or await context.commits.ask(partial(due_in_s, scope=context.scope)) is not None:
            return
        for _ in range(_MOST_LOOKS):
            left_s = await context.commits.ask(due_in_s)
            if left_s is None or context.intake.closed:
                return
            await self._wait_until_due(left_s + context.limits.confirm_s + 1.0)

    async def _wait_until_due(self, due_in_s: float) -> None:
        context, why = self._context, "until cancels without an answer can no longer be applied"
        context.log.info("run.waiting", due_in_s=round(due_in_s))
        with context.counters.waiting(why, context.clock.monotonic() + due_in_s), context.intake.waiting():
            await anyio.sleep(max(0.0, due_in_s))

    async def _send_all(self) -> None:
        """Send all other targets, then the series one by one, since each may include targets of the next."""
        if self._context.limits.canary and not self._canary_done:
            await self._send_canary()
        await self._work(self._feed(series=False), len(self._context.lines))
        await self._work(self._feed(series=True), 1)

    def _feed(self, *, series: bool, most: int | None = None) -> Feed:
        return Feed(self._context, self._breaker, series=series, most=most, without=self._held_forbidden)

    async def _send_canary(self) -> None:
        """Cancel a few targets and verify each by reads before all others."""
        self._canary_done, left = True, self._context.limits.canary
        for series in (False, True):
            while left > 0 and not self._context.intake.closed:
                feed, claims = self._feed(series=series, most=left), dict[int, Answer]()
                await self._work(feed, 1 if series else len(self._context.lines), claims)
                if not feed.given:
                    break
                left -= len(self._sent(feed))

    def _sent(self, feed: Feed) -> Sequence[Work]:
        return [work for work in feed.given if work.sent and work.target_id not in self._held_forbidden]

    async def _verify(self, sent: Sequence[Work], claims: Mapping[int, Answer]) -> None:
        """Record the answers that reads confirm, or all when the run was stopped; halt if reads do not confirm one."""
        left = await self._not_shown_gone(sent)
        denied = [] if self._context.intake.closed else left
        for work in sent:
            if (answer := claims.get(work.target_id)) is None:
                continue
            if work in denied:
                await self._context.move(work, Event.NO_PROOF, Answer(answer.status), UNVERIFIED)
                await self._context.move(work, Event.UNVERIFIED, detail=f"{UNVERIFIED}; tell with: bulk-cancel resolve")
            else:
                await self._context.move(work, Event.CANCELLED, answer)
        if denied:
            first = next((work for work in denied if work.target_id in claims), denied[0])
            told = _not_verified(first.target.appointment_id) if first.target_id in claims else _not_shown(first)
            self._context.halt(Exit.STOPPED, told, for_a_person=True)

    async def _not_shown_gone(self, sent: Sequence[Work]) -> Sequence[Work]:
        """Return those that no two consecutive reads show cancelled; a single read may come from a lagging replica."""
        in_a_row = dict.fromkeys((work.target_id for work in sent), 0)
        left = list(sent)
        for _ in range(_CANARY_READS):
            for work in left:
                reading = await read_surely(self._context, self._context.lines[0], work)
                shows = see(work.target, reading, attended=True)
                is_gone = shows in (ReadResult.CANCELLED, ReadResult.ONE_OCCURRENCE)
                in_a_row[work.target_id] = in_a_row[work.target_id] + 1 if is_gone else 0
            left = [work for work in left if in_a_row[work.target_id] < _AGREEING_READS]
            if not left or self._context.intake.closed:
                break
            await self._context.pause(self._context.limits.lag_s / 2)
        return left

    async def _work(self, feed: Feed, workers: int, claims: dict[int, Answer] | None = None) -> None:
        context = self._context
        turn = context.order.turn(context.scope.account, context.intake, series=feed.series)
        async with turn:
            async with anyio.create_task_group() as group:
                for line in self._context.lines[:workers]:
                    group.start_soon(self._worker, feed, line, claims)
            tell_unrecorded(context.unrecorded)
            context.unrecorded.clear()
            if claims is not None:  # until they are verified, series among them keep all others waiting
                await self._verify(self._sent(feed), claims)

    async def _worker(self, feed: Feed, line: Line, claims: dict[int, Answer] | None) -> None:
        """Settle targets until there are no more. An error halts the run; the other workers drain."""
        sender = Sender(self._context, line, self._breaker, self._held_forbidden, claims)
        try:
            while (work := await feed.next()) is not None:
                await sender.settle(work)
                feed.done(work)
        except BulkCancelError as error:
            self._context.halt(error.exit_code, str(error))
        except Exception as error:
            self._halt_for_bug(error)

    def _first_user(self, ledger: Ledger) -> str | None:
        """Return the acting user for the first request: a Platform key may have none but those of the rows."""
        run_no, scope = self._context.run_no, self._context.scope
        found = [ledger.work(run_no, 0, series=series, limit=1, scope=scope) for series in (False, True)]
        work = [one for part in found for _, one in part] + [item.work for item in ledger.unknown(0, 1, scope)]
        return work[0].request.user_id if work else None

    async def _preflight(self) -> None:
        """Read one appointment with the headers of the cancels, to check the address and the credential."""
        user_id = await self._context.commits.ask(self._first_user)
        self._breaker.probe = Query(0, page_size=1, user_id=user_id)
        retrying = _PREFLIGHT.retrying(_is_no_answer, self._context.limiter.jitter, anyio.sleep)
        page: Page | None = await retrying(self._context.read_page, self._context.lines[0], self._breaker.probe)
        if page is not None and page.appointments is None:
            raise _preflight_error(page.answer)
        if page is not None and self._context.api:
            await self._bind("api_url", self._context.api, "another API than the one that answered")
        found = (page.appointments if page else None) or ()
        for company_id in dict.fromkeys(one.company_id for one in found if one.company_id is not None):
            await self._bind("company_id", company_id, "another company than this credential")

    async def _bind(self, key: str, value: str, what: str) -> None:
        """Bind the ledger to the API or company that has just answered, before anything is sent. Raises ConfigError.

        With the ledger of another API or company, unsent targets could count as settled, and appointments as not found.
        """
        bound = await self._context.commits.ask(lambda ledger: ledger.bind(key, value))
        if bound != value:
            raise ConfigError(
                f"The ledger belongs to {what}.",
                advice="Nothing was sent. Name another --ledger, or use the other credential.",
            )


def _not_verified(appointment_id: str) -> str:
    return (
        f"The canary did not verify: the answer to the cancel of {appointment_id} showed it cancelled, and reads do "
        "not. Look it up in meetergo and record what you see with `bulk-cancel resolve`: until then no run sends "
        "anything."
    )


def _not_shown(work: Work) -> str:
    name, state = work.target.appointment_id, work.state.value
    return f"The canary did not verify: {name} is {state}, and reads do not show it cancelled. Look it up in meetergo."


def _is_no_answer(page: Page | None) -> bool:
    return page is not None and page.appointments is None and not is_refusal(page.answer)


def _preflight_error(answer: Answer) -> BulkCancelError:
    if is_missing_route(answer):
        return ConfigError(no_route(answer), advice="Nothing was sent.")
    if answer.is_api_error and answer.status in (400, 401, 403):
        return CredentialError(
            refused_credential(answer), advice="Nothing was sent with it. Keys expire after 1 to 90 days."
        )
    what = f"its answer {answer.status} is not a list of appointments"
    if not answer.status:
        what = f"no answer came ({answer.message.removeprefix('ConnectError: ')})"
    return UnreachableError(f"The API cannot be used: {what}.", advice="Nothing was sent.")
