"""The state that all parts of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING

import anyio

from bulk_cancel.api.port import Line, Page, Query
from bulk_cancel.core.actions import NOTHING_EXPECTED, SENT, Approved, Decision, Expectation, Look, SkipRules, decide
from bulk_cancel.core.clock import SEND_WITHIN_S
from bulk_cancel.core.deadline import SETTLE_S, TimeLimit
from bulk_cancel.core.exit_codes import Halt, exceeds, too_many_refused
from bulk_cancel.core.model import Answer, Appointment, Entry, Scope, Target, Work
from bulk_cancel.core.moments import Zone, show_hour
from bulk_cancel.core.outcome import TOO_MANY_REQUESTS, Outcome, classify_read
from bulk_cancel.core.readings import Reading, Source, is_missing_route, reading_of, see
from bulk_cancel.core.retry import LONGEST_PAUSE_S, show_long_pause
from bulk_cancel.core.states import REFUSED, Event, State, next_state
from bulk_cancel.core.window import SendWindow
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.commits import GroupCommit
from bulk_cancel.engine.counters import Counters
from bulk_cancel.engine.health import Asked, Health
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.series_order import Order
from bulk_cancel.errors import BulkCancelError, Exit, OutOfFilesError
from bulk_cancel.ledger.port import ALL_ROWS

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

#: Number of consecutive 429s, with growing pauses between them, after which the run stops.
MOST_THROTTLES_IN_A_ROW = 10
_CHECK_AGAIN_S = 300.0
_UNAUTHORISED = 401


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient and how thorough a run is. All durations in seconds."""

    max_attempts: int = 5  #: sends per target and run, of those proven not applied
    settle_s: float = SETTLE_S  #: for which an unanswered cancel may still be applied
    confirm_s: float = 5.0  #: between the two reads that must both show a target active
    lag_s: float = 6.0  #: for which a replica may show a cancelled appointment active, after a series or a canary
    max_errors: str = ""  #: `20` or `5%`: halt when more targets are refused; empty: never
    look: Look = Look.AUTO  #: which appointments are read before their cancels
    wait: bool = False  #: stay until every unknown target is settled
    skip_past: bool = True  #: skip what has started, where the start is known
    late_within_s: float = 0.0  #: skip what starts within this time
    window: SendWindow | None = None  #: send in these hours only
    stop_outside: bool = False  #: outside of these hours stop instead of waiting
    canary: int = 0  #: number of cancels to verify by reads before all others
    time: TimeLimit | None = None  #: when it is over, the run drains
    send_within_s: float = SEND_WITHIN_S  #: after its intent a cancel has to leave
    zone: Zone = UTC  #: of times in texts for people


@dataclass(frozen=True, slots=True)
class Context:
    """The shared state of one run."""

    run_no: int
    commits: GroupCommit
    limiter: Limiter
    clock: Clock
    intake: Intake
    counters: Counters
    limits: Limits
    log: FilteringBoundLogger
    lines: Sequence[Line]
    scope: Scope = ALL_ROWS
    order: Order = field(default_factory=Order)  #: shared by the runners of all accounts
    health: Health = field(default_factory=Health)
    approved: Mapping[Target, Approved] | None = None  #: what an approved plan says of each target; None: there is none
    api: str = ""  #: to which the ledger is bound once it has answered; empty: it is not bound
    unrecorded: list[tuple[Work, Outcome]] = field(default_factory=list)  #: outcomes that the ledger refused
    keep: Callable[[Target, Appointment], None] | None = None  #: adds to the rebooking list, when there is one

    async def turn(self, count: int = 1) -> bool:
        """Wait for slots and hold them; False when the intake closed meanwhile. Nothing is in flight meanwhile."""
        if not self.intake.closed and self.limiter.try_hold(count):
            return True
        holds = False
        with self.intake.waiting():
            await self.limiter.hold(count)
            holds = True
        if holds and self.intake.closed:
            for _ in range(count):
                self.limiter.give_back()
        return holds and not self.intake.closed

    async def due(self) -> bool:
        """Wait until a held slot may be used; False, and the slot given back, when the intake closed meanwhile."""
        with self.intake.waiting():
            await self.limiter.until_due()
        if self.intake.closed:
            self.limiter.give_back()
        return not self.intake.closed

    async def pause(self, seconds: float) -> None:
        """Wait for `seconds`, or until the intake closes."""
        with self.intake.waiting():
            await anyio.sleep(seconds)

    async def hours(self) -> bool:
        """Wait for the send window; False when the run stops instead."""
        window = self.limits.window
        while window is not None and not self.intake.closed and (wait_s := window.wait_s(now := self.clock.now())):
            opens = f"the send window opens at {show_hour(now + wait_s, now, self.limits.zone)}"
            if self.limits.stop_outside:
                self.halt(Exit.STOPPED, f"T{opens[1:]}.")
                break
            opens_at = self.clock.monotonic() + wait_s
            with self.counters.waiting(f"until {opens}", opens_at), self.intake.waiting():
                await anyio.sleep(min(wait_s, _CHECK_AGAIN_S))
        return not self.intake.closed

    def is_open_hour(self) -> bool:
        """Whether cancels may be sent at this moment."""
        return self.limits.window is None or self.limits.window.is_open(self.clock.now())

    def rules(self) -> SkipRules:
        """Return the rules for skipping at this moment."""
        limits, clock = self.limits, self.clock
        return SkipRules(clock.now(), limits.skip_past, limits.late_within_s, clock.monotonic(), limits.zone)

    def decide(self, work: Work) -> Decision:
        """Decide about a target at this moment, by its newest reading."""
        approved = self.approved.get(work.target) if self.approved else None
        if approved is not None and approved.action not in SENT:
            return Decision(approved.action, approved.why)
        return decide(work.target, work.request, work.reading, self._expected(work, approved), self.rules())

    def _expected(self, work: Work, approved: Approved | None) -> Expectation:
        """Return what is known of a target. Each row of an approved plan is read and compared, unless Look.NEVER."""
        compared = approved.seen if approved and self.limits.look is not Look.NEVER else NOTHING_EXPECTED
        is_due = self.limits.look is Look.EACH or (self.approved is not None and self.limits.look is not Look.NEVER)
        last_start = (approved.seen.start if approved else None) or work.start
        known = replace(compared, last_start=last_start, attended=work.attended, is_cancelled=work.is_cancelled)
        return replace(known, must_be_read=work.must_be_read, is_looked_at=is_due or work.is_looked_at)

    async def move(self, work: Work, event: Event, answer: Answer | None = None, detail: str = "") -> None:
        """Record an event durably, and let `work` follow."""
        becomes = next_state(work.state, event)
        attempt_no = work.attempts + 1 if event is Event.INTENT else work.attempts
        status, appointment = (answer.status, answer.appointment) if answer else (None, None)
        detail = detail or (answer.message if answer else "")
        at, work.moved_at = self.clock.now(), self.clock.monotonic()
        # Listed before it is recorded: after a crash in between somebody is listed twice, but nobody is missing.
        if becomes is State.CANCELLED and self.keep is not None and appointment is not None:
            self.keep(work.target, (work.reading.appointment if work.reading else None) or appointment)
        await self.commits.record(Entry(work.target_id, event, work.state, attempt_no, at, status, detail, appointment))
        self.counters.moved(work.state, becomes)
        work.state, work.attempts, work.sent = becomes, attempt_no, work.sent or event is Event.INTENT
        if becomes in REFUSED and exceeds(self.counters.refused, self.counters.targets, self.limits.max_errors):
            self.halt(Exit.STOPPED, too_many_refused(self.counters.refused))

    async def reading(self, line: Line, work: Work, *, holds_slot: bool = False) -> Reading | None:
        """Read a target's appointment, in turn; None when the intake closed, or when the answer proves nothing."""
        if not await self._read_turn(holds_slot=holds_slot):
            return None
        started_at = self.clock.monotonic()
        answer = await line.read(work.target, work.request)
        reading = reading_of(work.target.appointment_id, answer, started_at)
        await self._heed_read(answer, started_at, told=reading is not None)
        if reading is not None and reading.appointment is not None:
            self.health.granted.add(Asked.READ)
        if reading is not None and reading.is_forbidden:
            self.health.forbidden[Asked.READ].add(work.target_id)
        shows = see(work.target, reading, attended=work.attended).value
        self.log.debug("read.answered", target=work.target_id, status=answer.status, shows=shows)
        return reading

    async def read_page(self, line: Line, query: Query) -> Page | None:
        """Read a page of appointments, in turn; None when the intake closed before."""
        if not await self._read_turn():
            return None
        started_at = self.clock.monotonic()
        page = await line.page(query)
        await self._heed_read(page.answer, started_at, told=page.appointments is not None)
        if page.appointments:
            self.health.granted.add(Asked.READ)
        self.log.debug("page.answered", page=query.page, status=page.answer.status)
        return replace(page, asked_at=started_at)

    async def _read_turn(self, *, holds_slot: bool = False) -> bool:
        """Wait for the slot of a read, and make it durable: a loop of crashes must not use up the burst each time."""
        if not holds_slot and not await self.turn():
            return False
        try:
            await self.commits.record()
            may_leave = await self.due()
        except BaseException:  # the disk is full, or the intake closed around a probe
            self.limiter.give_back()
            raise
        if not may_leave:
            return False
        self.counters.gets += 1
        self.limiter.use()
        return True

    async def _heed_read(self, answer: Answer, started_at: float, *, told: bool) -> None:
        """Learn from the answer to a read. A pause is made durable here; after a cancel its outcome does that."""
        self.heed(answer, started_at, Asked.READ)
        self.health.note(Asked.READ, classify_read(answer, told=told))
        self.counters.cached += answer.age_s > Source.SINGLE.value
        if answer.status == TOO_MANY_REQUESTS:
            await self.commits.record()
            await self.limiter.tell_pause()
        if answer.status == _UNAUTHORISED and answer.is_api_error:
            self.halt(Exit.CREDENTIAL, refused_credential(answer))
        elif is_missing_route(answer):
            self.halt(Exit.CONFIG, no_route(answer))

    def heed(self, answer: Answer, started_at: float, asked: Asked) -> None:
        """Let the limiter learn from an answer; halt when this machine's limits, not the API, prevented one."""
        self.limiter.ended()
        if answer.out_of_files:
            self.halt_for(OutOfFilesError())
        if answer.status != TOO_MANY_REQUESTS:
            if answer.status is not None:
                self.limiter.served(asked)
            return
        # Of a cancel only the API's own words prove that it had no effect.
        if answer.is_api_error or asked is Asked.READ:
            self.counters.throttled += 1
        pause_s = self.limiter.throttled(started_at, answer.retry_after_s, asked)
        self.log.info("run.throttled", pause_s=round(pause_s, 1), in_a_row=self.limiter.throttles_in_a_row)
        if pause_s > LONGEST_PAUSE_S:
            self.halt(Exit.STOPPED, show_long_pause(pause_s))
        elif self.limiter.throttles_in_a_row >= MOST_THROTTLES_IN_A_ROW:
            self.halt(Exit.STOPPED, f"The API throttles every {asked}: something else uses up the key's limit.")

    def halt_for(self, error: BulkCancelError) -> None:
        """Stop taking work because of an error, which is shown with its advice."""
        self.halt(error.exit_code, f"{error} {error.advice}".strip())

    def halt(self, exit_code: Exit, message: str, *, for_a_person: bool = False) -> None:
        """Stop taking work; the gravest reason is kept."""
        self.intake.close(Halt(exit_code, message, for_a_person))


def refused_credential(answer: Answer) -> str:
    """Return the sentence that the API refuses the credential."""
    return f"The API refuses the credential ({answer.status}): {answer.message or 'no reason given'}."


def no_route(answer: Answer) -> str:
    """Return the sentence that the base address is wrong."""
    return f"The server has no such address ({answer.message}): MEETERGO_API_URL is wrong; it ends with /v4."
