"""The judge of what was sent: what each request rested on, when it left, and what had left before it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bulk_cancel.core.actions import SENT, Look
from bulk_cancel.core.model import Entry
from bulk_cancel.core.retry import LONGEST_PAUSE_S
from bulk_cancel.core.states import TRANSITIONS, Event, State
from world.api import OVER, Api, Departure
from world.past import Past, name_of
from world.scenario import Scenario

if TYPE_CHECKING:
    from world.ran import Ran

#: A cancel rests on a reading of at most a minute; that reading took its time, and the replica lagged.
STALE_S = 100.0
#: From the last look at a rule to the first byte: a process that stood still for longer does not send.
SEND_WITHIN_S = 16.0
#: For which a decision to send may rest on a reading of the one appointment, and on a page of the list.
FRESH_S: Mapping[str, float] = {"get": 5.001, "list": 60.001}
#: Troubles in a row after which the API is asked by a read before anything else, and pauses by a 429 before the end.
TROUBLES, THROTTLES = 5, 10
#: From this number of cancels without an outcome on pages of the list are read for them.
_WORTH_PAGES = 10
#: Seconds until the leases of one credential know of another's pause: each may use the window that it has reserved.
_KNOWN_TO_ALL_S = 1.0
#: Seconds after which a pause that the API asked for is durable, and what keeps it from that.
_DURABLE_S = 5.0
_NOT_DURABLE = ("stalls", "freeze", "suspend", "full_disk", "swapped", "mischief", "workers")
_UNSENT = (State.PENDING, State.WAITING)


@dataclass(frozen=True, slots=True)
class Sent:
    """A cancel that left, with what the ledger held then."""

    one: Departure
    ran: Ran  #: the run whose order it was
    number: int | None  #: of its target
    intent: Entry | None  #: that was durable for it, and for no other cancel
    intent_at: float = 0.0  #: when it became durable


class Sends:
    """Judges the requests of one history, run by run."""

    def __init__(self, scenario: Scenario, api: Api, violated: Callable[[int, str], None]) -> None:
        self._scenario, self._api, self._violated = scenario, api, violated
        self._paused: dict[str, float] = {}  #: until when, by credential, as earlier runs were asked
        self._settle_s: dict[int, float] = {}  #: of the run that a cancel belongs to, by the number of its departure

    def settle_s(self, one: Departure) -> float:
        """Return the settle time of the run that sent a cancel."""
        return self._settle_s[one.number]

    def after(self, ran: Ran, new: Sequence[Departure], sent: Sequence[Sent], before: Past, past: Past) -> None:
        """Judge what has left since the run before."""
        self._settle_s |= {it.one.number: it.ran.job.settle for it in sent}
        self._within_the_limit(ran, new)
        self._only_what_was_listed(new)
        for it in sent:
            self._rests_on_something_fresh(it)
            self._attendee_was_seen(it, past)
            self._in_time(it)
            self._what_was_approved(it)
            self._with_the_reason_on_record(it)
        if not self._scenario.has("workers"):
            self._pages_wait_for_the_window(ran, new, before)
            self._one_by_one(ran, new, before, past)
            self._throttled_to_its_end(ran, new)

    # -- 8, 10: the limit, and to whom --------------------------------------------------------------------------------

    def _within_the_limit(self, ran: Ran, new: Sequence[Departure]) -> None:
        rate, burst = self._scenario.rate, self._scenario.burst
        loose = 16 if self._scenario.has("unreachable") else 0
        if not (self._scenario.has("clock") and self._scenario.has("reboot")) and not self._scenario.has("mischief"):
            tats: defaultdict[str, float] = defaultdict(lambda: float("-inf"))
            for one in self._api.departures:
                tats[one.account] = max(tats[one.account], one.at) + 1 / rate
                if tats[one.account] - one.at > (burst + loose) / rate + 0.001:
                    self._violated(8, f"more than {burst} requests and {rate:.3g}/s left at {one.at:.3f}.")
                    break
        self._the_server_refuses_none(new)
        self._a_pause_outlives_its_run(ran, new)
        for one in new:
            if one.answer is not None and one.answer.status == 429 and one.answered_at is not None:
                self._pause(one, new)

    def _the_server_refuses_none(self, new: Sequence[Departure]) -> None:
        """Its own bucket counts arrivals, however late each of them is."""
        excused = ("unreachable", "mischief")
        if any(map(self._scenario.has, excused)) or (self._scenario.has("clock") and self._scenario.has("reboot")):
            return
        for one in new:
            if one.what == OVER:
                self._violated(8, f"request {one.number} found no token when it arrived at {one.arrived_at:.3f}.")
                return

    def _pause(self, throttled: Departure, new: Sequence[Departure]) -> None:
        wish = throttled.answer.retry_after_s if throttled.answer else None
        since = throttled.answered_at or 0.0
        if wish is None and any(_opens_the_pause(one, throttled) for one in new):
            return  # of what had left before, only a longer wish counts
        until = since + max(1.0, wish if wish is not None else 2.0)
        known = since + (_KNOWN_TO_ALL_S if self._scenario.has("workers") else 1e-6)
        for one in new:
            if one.account == throttled.account and one.run == throttled.run and known < one.began < until - 1e-6:
                told = f"a request began at {one.began:.3f}, within the pause {since:.3f} to {until:.3f}"
                self._violated(8, f"{told} that a 429 asked for.")
                return
        if self._api.clock.now - since > _DURABLE_S:
            self._paused[throttled.account] = max(until, self._paused.get(throttled.account, 0.0))

    def _a_pause_outlives_its_run(self, ran: Ran, new: Sequence[Departure]) -> None:
        """A 429 of an earlier run, killed or not, holds; after a reboot for as long as a run waits for one."""
        if any(map(self._scenario.has, _NOT_DURABLE)) or (self._scenario.has("clock") and self._scenario.has("reboot")):
            return
        if self._scenario.has("reboot"):
            longest = ran.began_at + LONGEST_PAUSE_S
            self._paused = {account: min(until, longest) for account, until in self._paused.items()}
        for one in new:
            if one.began < (until := self._paused.get(one.account, 0.0)) - 1e-6:
                told = f"a request began at {one.began:.3f}, within the pause until {until:.3f}"
                self._violated(8, f"{told} that a 429 asked an earlier run for.")
                return

    def _only_what_was_listed(self, new: Sequence[Departure]) -> None:
        named = {row.appointment_id for row in self._scenario.rows}
        for one in new:
            if one.target is not None and one.target.appointment_id not in named:
                self._violated(10, f"{one.kind} of {name_of(one.target)}, which no row names.")

    # -- 12: on what a cancel rests -----------------------------------------------------------------------------------

    def _rests_on_something_fresh(self, it: Sent) -> None:
        one, ran, job = it.one, it.ran, it.ran.job
        meeting = self._api.truth.meetings.get(one.target.appointment_id) if one.target else None
        reads_all = job.look is Look.EACH or (ran.approval is not None and job.look is not Look.NEVER)
        if not reads_all or one.target is None or meeting is None:
            return
        if not any(_is_fresh(read, one) for read in self._api.departures[: one.number - 1]):
            self._violated(12, f"{name_of(one.target)} was sent without a fresh reading.")
        since = meeting.gone_since(one.target.attendee_id)
        if since is not None and since < one.began - STALE_S:
            self._violated(12, f"{name_of(one.target)} was sent {one.began - since:.0f} s after it was cancelled.")
        moved_at = meeting.moved_at
        if ran.approval is not None and moved_at is not None and ran.approved_at < moved_at < one.began - STALE_S:
            self._violated(12, f"{name_of(one.target)} was sent although it was moved after the approval.")
        started = max(meeting.starts_at, moved_at or 0.0)
        is_past = job.skip_past and meeting.series is None and started < one.began - STALE_S
        if is_past and not self._scenario.has("clock"):
            self._violated(12, f"{name_of(one.target)} was sent although it was past.")

    def _attendee_was_seen(self, it: Sent, past: Past) -> None:
        """Nobody is sent who was in no reading before: a typing error would look like a good end.

        That is on record before the cancel leaves: else nobody could tell later whether it removed the attendee.
        """
        one = it.one
        if one.target is None or one.target.attendee_id is None:
            return
        before = self._api.departures[: one.number - 1]
        if not any(read.answered_at and (read.kind == "list" or _same(read, one)) for read in before):
            self._violated(12, f"{name_of(one.target)} was sent although nobody had looked.")
        own = [(event, attempt) for _, number, _, event, attempt, *_ in past.events if number == it.number]
        intent = (Event.INTENT, it.intent.attempt_no) if it.intent is not None else None
        if intent in own and Event.SEEN_ACTIVE not in (event for event, _ in own[: own.index(intent)]):
            self._violated(12, f"{name_of(one.target)} was sent, and no reading of the attendee is on record.")

    def _in_time(self, it: Sent) -> None:
        one, job = it.one, it.ran.job
        window = job.send_window
        if window is not None and not window.is_open(one.wall) and not window.is_open(one.wall - SEND_WITHIN_S):
            self._violated(12, f"{name_of(one.target)} was sent outside of the send window.")
        if it.intent is not None and one.at - it.intent_at > SEND_WITHIN_S:
            self._violated(5, f"{name_of(one.target)} was sent {one.at - it.intent_at:.1f} s after its intent.")
        is_limited = job.max_duration is not None and not self._scenario.has("workers")
        if is_limited and one.began - it.ran.began_at > job.max_duration + 0.01:  # type: ignore[operator]
            self._violated(12, f"{name_of(one.target)} was sent after the run's time was over.")

    def _what_was_approved(self, it: Sent) -> None:
        approved = it.ran.approval.by_target.get(it.one.target) if it.ran.approval and it.one.target else None
        if approved is not None and approved.action not in SENT:
            self._violated(12, f"{name_of(it.one.target)} was sent; approved was: {approved.action.value}.")

    def _with_the_reason_on_record(self, it: Sent) -> None:
        """What was mailed is told later by the intent."""
        if it.intent is not None and it.one.arrived_at is not None and it.intent.detail != it.one.reason:
            told = f"{it.one.reason!r} was mailed, and {it.intent.detail!r} recorded"
            self._violated(3, f"{name_of(it.one.target)}: {told}.")

    def _pages_wait_for_the_window(self, ran: Ran, new: Sequence[Departure], before: Past) -> None:
        """No page is read for rows that cannot leave yet: it would be old when they can."""
        window, first = ran.job.send_window, next(iter(new), None)
        if window is None or first is None or ran.reconciles or self._scenario.whole:
            return
        if sum(state in (State.SENDING, State.UNKNOWN) for state in before.states.values()) >= _WORTH_PAGES:
            return
        opens_in_s = window.wait_s(first.wall)
        for one in new:
            if one.kind == "list" and one.wall - first.wall < opens_in_s - 1:
                self._violated(12, f"a page was read {opens_in_s:.0f} s before the send window opens.")
                return

    # -- 13: one worker, one after the other --------------------------------------------------------------------------

    def _one_by_one(self, ran: Ran, new: Sequence[Departure], before: Past, past: Past) -> None:
        """After five troubles in a row a read is answered before one worker sends, or reads what it is to send."""
        if ran.job.concurrency != 1 or ran.job.accounts is not None:
            return
        self._pauses_between_cancels(ran, new)
        numbers = {target: number for number, target in past.targets.items()}
        states, in_a_row = dict(before.states), 0
        happened: list[tuple[int, Any]] = [(commit.order, commit) for commit in ran.process.commits]
        happened += [(one.order, one) for one in new]
        for _, what in sorted(happened, key=lambda item: item[0]):
            if not isinstance(what, Departure):
                for entry in what.entries:
                    states[entry.target_id] = TRANSITIONS[entry.was, entry.event]
            elif what.kind in ("list", "probe"):
                in_a_row = in_a_row + 1 if _is_trouble(what) else 0
            elif what.kind == "get":
                number = numbers.get(what.target)  # type: ignore[arg-type]
                if in_a_row >= TROUBLES and number is not None and states.get(number, State.PENDING) in _UNSENT:
                    told = (
                        f"{name_of(what.target)} was read at {what.began:.3f} after {in_a_row} reads in vain in a row"
                    )
                    self._violated(13, f"{told}, and the API was not asked in between.")
                    return
                in_a_row = in_a_row + 1 if _is_trouble(what) else 0

    def _pauses_between_cancels(self, ran: Ran, new: Sequence[Departure]) -> None:
        in_a_row, last = 0, 0.0
        well_at = [it.answered_at or 0.0 for it in new if it.kind == "probe" and it.answered_at and not _is_trouble(it)]
        for one in ran.process.cancels:
            if any(last <= at <= one.began for at in well_at):
                in_a_row = 0
            if in_a_row >= TROUBLES:
                self._violated(13, f"a cancel was tried at {one.began:.3f} after {in_a_row} troubles in a row.")
                return
            in_a_row = in_a_row + 1 if one.is_trouble else 0
            last = one.ended

    def _throttled_to_its_end(self, ran: Ran, new: Sequence[Departure]) -> None:
        """When every cancel is throttled, and reads are not, the run ends."""
        in_a_row: Counter[str] = Counter()
        for one in new if ran.job.concurrency == 1 else ():
            if one.kind == "post" and one.answer is not None:
                if in_a_row[one.account] >= THROTTLES:
                    self._violated(13, f"a cancel was sent at {one.at:.3f} after {THROTTLES} that were throttled.")
                    return
                in_a_row[one.account] = in_a_row[one.account] + 1 if one.answer.status == 429 else 0


def _is_fresh(read: Departure, one: Departure) -> bool:
    """Whether a cancel may rest on a read: one of its appointment, or a page that may have had it."""
    if read.answered_at is None or read.answered_at > one.at or read.answer is None or one.target is None:
        return False
    if read.kind == "get" and (read.target is None or read.target.appointment_id != one.target.appointment_id):
        return False
    return one.at - read.began + read.answer.age_s <= FRESH_S.get(read.kind, 0.0)


def _opens_the_pause(one: Departure, later: Departure) -> bool:
    """Whether there was a pause already when a 429 came, since its request began: it may have connected for long."""
    is_429 = one is not later and one.answer is not None and one.answer.status == 429
    came_at, later_at = one.answered_at or 0.0, later.answered_at or 0.0
    return is_429 and one.account == later.account and later.began < came_at <= later_at


def _is_trouble(read: Departure) -> bool:
    """Whether an answer to a read, or its absence, says nothing."""
    answer = read.answer
    if answer is None or answer.status is None:
        return True
    if answer.status == 429 or (answer.is_api_error and answer.status < 500):
        return False
    if read.kind == "get":
        return answer.appointment is None
    return answer.status != 200 or answer.message == "html"


def _same(one: Departure, other: Departure) -> bool:
    """Whether one is a read of the appointment that the other cancels."""
    ids = [it.target.appointment_id if it.target else None for it in (one, other)]
    return one.kind == "get" and ids[0] == ids[1]
