"""The API of the world: it hears requests, lets cancels take effect when it likes, and answers what it likes.

The documented contract bounds it: nothing takes effect after a 401, 403, 404, 400 or 429 in the API's own words, and
nothing later than the settle time.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bulk_cancel.core.model import Answer, Appointment, Request, Target
from world.chance import pick
from world.queue import WorldClock
from world.scenario import Scenario
from world.truth import Meeting, Truth

#: No effect comes later than this after its request: below the settle time (600 s), with what a request may take.
LATEST_EFFECT_S, SETTLE_S = 590.0, 600.0
#: What the server's own bucket does to a request for which it has no token.
OVER = "429 by the limit"
_AGAIN = "the appointment is cancelled already"

#: How long a cache that is renewed repeats one answer.
_RENEWED_S = 60.0
_TRANSIT_S, _LONGEST_TRANSIT_S, _IDLE_S = 0.02, 2.0, 2.0

#: What holds for all requests of a while: no such address; a credential without the right to cancel; cancels throttled.
SPELLS = ("no_route", "forbidden", "throttled_posts")

#: What an answer to a cancel may be that proves nothing, by weight.
TROUBLE: Mapping[str, float] = {
    "lost": 3, "reset": 2, "slow": 1, "5xx": 3, "unclear": 2, "html": 2, "other": 0.5, "silent": 0.5, "active": 0.5,
}  # fmt: skip
READ_TROUBLE: Mapping[str, float] = {"lost": 2, "reset": 2, "5xx": 3, "html": 2, "other": 0.5, "silent": 1}


@dataclass
class Departure:
    """One request of which at least one byte left, with all that came of it."""

    number: int
    began: float  #: when the program asked for it
    at: float  #: when its first byte left
    run: int
    kind: str  #: post, get, list (a page from a start on, which may be of one row), or probe
    account: str
    target: Target | None
    user_id: str | None = None
    arrived_at: float | None = None
    answered_at: float | None = None  #: when the program had the answer
    answer: Answer | None = None
    what: str = ""  #: what the world did, for the story
    not_processed: bool = False  #: the answer proves that nothing took effect, and nothing did
    wall: float = 0.0  #: what the clock that the program goes by showed when it asked for it
    order: int = 0  #: among the commits and departures of its process
    was_blind: bool = False  #: while the credential was shown nothing
    reason: str = ""  #: of a cancel: the text that it mails


@dataclass
class Bucket:
    """The server's count of one key's requests, by its own clock."""

    rate: float
    burst: int
    tokens: float = 0.0
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Take a token; False when there is none."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Api:
    """Hears, does and answers. `calm`: from now on without any trouble."""

    scenario: Scenario
    clock: WorldClock
    truth: Truth
    note: Callable[..., None]
    counted: Counter[str] = field(default_factory=Counter)  #: faults that really happened
    departures: list[Departure] = field(default_factory=list)
    calm: bool = False
    revoked: set[str] = field(default_factory=set)  #: fingerprints of keys that are refused
    _left_at: defaultdict[str, float] = field(default_factory=lambda: defaultdict(lambda: -1e9))
    _connected_at: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _connects: Counter[str] = field(default_factory=Counter)
    broken: str = ""  #: the appointment at which the API broke its documented contract, once
    _asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    _fading: int = 0  #: cancels heard while the right to cancel is taken away
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _outages: list[tuple[float, float]] = field(default_factory=list)
    _spells: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = self.scenario.chance.of("outages")
        if self.scenario.has("outage"):
            for _ in range(rng.choice((1, 2))):
                begins = rng.choice((rng.uniform(0.05, 1.5), rng.uniform(0, 120)))
                self._outages.append((begins, begins + rng.choice((5, 40, 300, 3600))))

        for name in SPELLS:
            own = self.scenario.chance.of("spell", name)
            begins = own.choice((0.0, 0.0, own.uniform(0, 3), own.uniform(0, 60)))
            self._spells[name] = begins, begins + own.choice((5, 60, 900, 5000))

    def under(self, spell: str) -> bool:
        """Whether something holds for all requests of a while, and this is in that while."""
        begins, ends = self._spells[spell]
        return self.scenario.has(spell) and not self.calm and begins <= self.clock.now < ends

    def draw(self, kind: str, name: str) -> random.Random:
        """Return the stream of the n-th request of a kind for one appointment."""
        self._asked[kind, name] += 1
        return self.scenario.chance.of(kind, name, self._asked[kind, name])

    def meets(self, feature: str, rng: random.Random, share: float = 1.0) -> bool:
        """Whether a fault happens now. Draws in any case, so that a switched-off fault moves nothing else."""
        drawn = rng.random()
        return not self.calm and self.scenario.has(feature) and drawn < share * self.scenario.level

    def count(self, fault: str) -> None:
        """Note that a fault really happened."""
        self.counted[fault] += 1

    def transit_s(self, departure: Departure) -> float:
        """Return what a request takes to arrive; after a pause the first one has to connect, and then all other lines.

        That stays within what the limiter allows for: a tenth of the burst's time, and a token.
        """
        last_at, self._left_at[departure.account] = self._left_at[departure.account], self.clock.now
        if self.calm or not self.scenario.has("transit"):
            return _TRANSIT_S
        rng, scenario = self.scenario.chance.of("transit", departure.number), self.scenario
        differs_s = rng.uniform(0, 0.019)
        self._connects[departure.account] += 1
        if self.clock.now - last_at >= _IDLE_S:
            self._connects[departure.account] = 1
        if self._connects[departure.account] <= 2:
            most_s = min(_LONGEST_TRANSIT_S, (0.09 * max(0, scenario.burst - 4) + 0.9) / scenario.rate)
            self._connected_at[departure.account] = self.clock.now + most_s * rng.random()
        return differs_s + max(0.0, self._connected_at[departure.account] - self.clock.now)

    # -- arrivals -----------------------------------------------------------------------------------------------------

    def hear(self, departure: Departure, request: Request | None, rng: random.Random) -> Answered:
        """Let a request arrive now; return what is answered, and how long after."""
        departure.arrived_at = self.clock.now
        departure.was_blind = self._is_blind and self.under("forbidden")
        departure.reason = (request.reason if request else "") or ""
        if not self.calm and any(begin <= self.clock.now < end for begin, end in self._outages):
            self.count("outage")
            status = rng.choice((502, 503, None))
            return Answered(Answer(status, message="Bad Gateway"), 0.1, "outage", departure.kind != "post")
        if self.under("no_route"):
            self.count("no route")
            return Answered(_no(404, f"Cannot {'POST' if departure.kind == 'post' else 'GET'} /v4"), 0.02, "404", True)
        if refused := self._at_the_gate(departure, rng):
            return refused
        if departure.kind == "post" and departure.target is not None and request is not None:
            return self._cancel(departure, departure.target, request, rng)
        if departure.target is not None:
            return self._read(departure.target, departure.user_id, rng)
        return self._trouble_of_reads(rng) or Answered(Answer(200, age_s=self._page_age_s(departure)), 0.05, "list")

    def _at_the_gate(self, departure: Departure, rng: random.Random) -> Answered | None:
        account, own = departure.account, self._buckets
        if account not in own:
            own[account] = Bucket(self.scenario.rate, self.scenario.burst, float(self.scenario.burst))
        has_token = own[account].take(self.clock.now)
        throttled = self.meets("throttle", rng, 0.3)
        wish = rng.choice((None, None, 0.0, 1.0, 5.0, 30.0, 120.0, 3600.0 if rng.random() < 0.3 else 10.0))
        if departure.kind == "post" and self.under("throttled_posts"):
            throttled, wish = True, None
        if throttled or not has_token:
            self.count("429" if throttled else "429 by the limit")
            answer = Answer(429, message="Too Many Requests", retry_after_s=wish, is_api_error=True)
            return Answered(answer, 0.02, "429" if has_token else OVER, True)
        if account in self.revoked:
            self.count("401")
            return Answered(_no(401, "Unauthorized"), 0.02, "401", True)
        return None

    # -- cancels ------------------------------------------------------------------------------------------------------

    def _cancel(self, departure: Departure, target: Target, request: Request, rng: random.Random) -> Answered:
        passing = self.meets("passing_refusals", rng, 0.3)
        status = rng.choice((400, 403, 403, 404, 404))
        if self.scenario.has("fading") and not self.calm:
            return self._faded()
        if self.under("forbidden"):
            self.count("a credential that may not cancel")
            return Answered(_no(403, "Forbidden"), 0.1, "403", True)
        if passing:
            self.count(f"passing {status}")
            if status in (403, 404) and self._breaks(target, rng):
                self.clock.at(self.clock.now + rng.uniform(0, 100), lambda: self._late(target, departure.number))
            return Answered(_no(status, "not now"), 0.1, f"a passing {status}", True)
        meeting = self.truth.meetings.get(target.appointment_id)
        if refusal := self._refusal(meeting, target, request, departure.user_id):
            return Answered(refusal, 0.1, f"{refusal.status} {refusal.message}", True)
        assert meeting is not None
        has_trouble, when = self.meets("trouble", rng), rng.random()
        trouble = pick(rng, dict(TROUBLE))
        late_s = min(LATEST_EFFECT_S, 10 ** rng.uniform(-1, 2.8))
        if not has_trouble:
            self._take_effect(target, departure.number)
            answer = Answer(rng.choice((200, 201)), appointment=self._own_answer(meeting, target))
            return Answered(answer, rng.choice((0.05, 0.2, 1.0)), "cancelled")
        return self._untold(departure, target, (trouble, when, late_s), rng)

    def _faded(self) -> Answered:
        """The first cancels come to nothing, and nothing says so; all later ones are forbidden."""
        self._fading += 1
        self.count("a right that fades")
        if self._fading > self.scenario.chance.of("fading").randrange(1, 9):
            return Answered(_no(403, "Forbidden"), 0.1, "403", True)
        return Answered(Answer(message="connection reset"), 0.05, "reset, not applied")

    def _untold(
        self, departure: Departure, target: Target, drawn: tuple[str, float, float], rng: random.Random
    ) -> Answered:
        """Take effect before the answer, never, or after it; the answer proves nothing of that."""
        trouble, when, late_s = drawn
        meeting = self.truth.meetings[target.appointment_id]
        effect = "applied"
        if self.scenario.has("vain") and not self.calm:
            effect = "not applied"
        elif when < 0.35 or (when > 0.65 and not self.scenario.has("late")):
            self._take_effect(target, departure.number)
        elif when < 0.65:
            effect = "not applied"
        else:
            self.count("late effect")
            late_s += SETTLE_S + 10 if self._breaks(target, rng) else 0.0
            self.clock.at(self.clock.now + late_s, lambda: self._late(target, departure.number))
            effect = f"to be applied {late_s:.1f} s later"
        self.count(f"trouble: {trouble}")
        answer = _untrusted(trouble, meeting, target, rng)
        delay = {"lost": 1e9, "slow": rng.uniform(20, 45)}.get(trouble, rng.choice((0.05, 2.0)))
        return Answered(answer, delay, f"{trouble}, {effect}")

    def _breaks(self, target: Target, rng: random.Random) -> bool:
        """Whether the documented contract is broken here: once in a history, and only where a seed says so."""
        meeting = self.truth.meetings.get(target.appointment_id)
        is_there = meeting is not None and meeting.exists and not target.entire_series
        if not self.scenario.has("breakers") or self.broken or not is_there or rng.random() < 0.4:
            return False
        self.broken = target.appointment_id
        self.count("contract broken")
        self.note("machine", "the API breaks its contract at", target.appointment_id)
        return True

    def _late(self, target: Target, post: int) -> None:
        meeting = self.truth.meetings[target.appointment_id]
        if meeting.deleted_at is not None or (
            meeting.gone_since(target.attendee_id) is not None and not self.truth.repeats
        ):
            return
        self.note("late", target.appointment_id, post)
        self._take_effect(target, post)

    def _take_effect(self, target: Target, post: int) -> None:
        meeting = self.truth.meetings[target.appointment_id]
        self.truth.apply(target.appointment_id, target.attendee_id, post)
        self.note("applied", target.appointment_id, target.attendee_id or "", post)
        if target.entire_series:
            rng = self.scenario.chance.of("series", target.appointment_id)
            for number, sibling in enumerate(list(self.truth.siblings(meeting)), 1):
                self.clock.at(
                    self.clock.now + number * rng.uniform(0, 1), lambda one=sibling: self._take_along(one, post)
                )  # type: ignore[misc]

    def _take_along(self, sibling: Meeting, post: int) -> None:
        if not sibling.is_gone():
            self.truth.apply(sibling.appointment_id, None, post)
            self.note("applied", sibling.appointment_id, "", post)

    def may_see(self, meeting: Meeting, user_id: str | None) -> bool:
        """Whether a user sees an appointment; a key of one person acts as nobody else."""
        if self.under("forbidden") and self._is_blind:
            return False
        return meeting.hidden_at is None and (not self.scenario.has("users") or user_id in meeting.hosts)

    def _refusal(self, meeting: Meeting | None, target: Target, request: Request, user_id: str | None) -> Answer | None:
        if meeting is None or not meeting.exists or meeting.deleted_at is not None:
            return _no(404, "Appointment not found")
        if not self.may_see(meeting, user_id):
            return _no(403, "Forbidden")
        if meeting.is_group and target.attendee_id is None and not request.cancel_all:
            return _no(400, "attendeeId or cancelAll is needed")
        if target.attendee_id is not None and target.attendee_id not in meeting.attendees:
            return _no(400, "no such attendee")
        if meeting.gone_since(target.attendee_id) is not None and not self.truth.repeats:
            return _no(400, _AGAIN)
        return None

    @property
    def _is_blind(self) -> bool:
        """Whether a credential that may not cancel may not read either."""
        return self.scenario.chance.of("blind").random() < 0.5

    def _own_answer(self, meeting: Meeting, target: Target) -> Appointment:
        document = meeting.document()
        if self.scenario.has("after_effects") and self.scenario.chance.of("after", target).random() < 0.4:
            self.count("an after-effect that went wrong")
            document = replace(document, warnings=("calendar_not_updated",))
        return document if target.attendee_id else replace(document, is_cancelled=True)

    # -- reads --------------------------------------------------------------------------------------------------------

    def _trouble_of_reads(self, rng: random.Random) -> Answered | None:
        met, trouble = self.meets("read_trouble", rng, 0.7), pick(rng, dict(READ_TROUBLE))
        if not met or trouble in ("other", "silent"):
            return None
        self.count(f"reads: {trouble}")
        delay = 1e9 if trouble == "lost" else 0.1
        return Answered(_untrusted(trouble, None, None, rng), delay, trouble)

    def _read(self, target: Target, user_id: str | None, rng: random.Random) -> Answered:
        if trouble := self._trouble_of_reads(rng):
            return trouble
        odd, silent = self.meets("read_trouble", rng, 0.1), rng.random() < 0.5
        passing = self.meets("passing_refusals", rng, 0.1)
        lag_s, age_s = self.lag(rng), self._cached(target.appointment_id, rng)
        meeting = self.truth.meetings.get(target.appointment_id)
        if passing:
            self.count("passing 403 of a read")
            return Answered(_no(403, "not now"), 0.05, "a passing 403")
        if meeting is None or not meeting.exists:
            return Answered(_no(404, "Appointment not found"), 0.05, "404")
        if not self.may_see(meeting, user_id):
            return Answered(_no(403, "Forbidden"), 0.05, "403")
        if meeting.deleted_at is not None and self.scenario.chance.of("deleted").random() < 0.5:
            return Answered(_no(404, "Appointment not found"), 0.05, "404, deleted")
        shown = meeting.as_of(self.clock.now - lag_s - (age_s or 0.0))
        if odd:
            self.count("odd document")
            shown = (
                replace(shown, is_cancelled=None)
                if silent
                else replace(shown, appointment_id=f"f{shown.appointment_id[1:]}")
            )
        is_told = not age_s or self._is_renewed(target.appointment_id) or rng.random() >= 0.5
        told = (age_s or 0.0) if is_told else float("inf")
        answer = Answer(200, appointment=shown, age_s=told)
        return Answered(answer, rng.choice((0.03, 0.03, 0.03, 3.0 if not self.calm else 0.03)), f"read {_seen(shown)}")

    def _page_age_s(self, departure: Departure) -> float:
        rng = self.scenario.chance.of("page of a cache", departure.number)
        if departure.kind != "list" or not self.meets("cache", rng):
            return 0.0
        self.count("page of a cache")
        return rng.choice((3.0, 30.0, 600.0, 7200.0))

    def lag(self, rng: random.Random) -> float:
        """Return how far behind the replica is that answers."""
        lagging, lag_s = self.meets("lag", rng, 2.0), rng.uniform(0, 5)
        if lagging:
            self.count("lag")
        return lag_s if lagging else 0.0

    def _cached(self, appointment: str, rng: random.Random) -> float | None:
        """Return how old an answer from a cache is; some appointments are shown by nothing else."""
        cached, age_s = self.meets("cache", rng), rng.choice((3.0, 30.0, 600.0))
        only = self.scenario.has("cache") and self.scenario.chance.of("cached", appointment).random() < 0.25
        if only and not self.calm:
            cached, age_s = True, self.clock.now % _RENEWED_S if self._is_renewed(appointment) else 7200.0
        if cached:
            self.count("cache")
        return age_s if cached else None

    def _is_renewed(self, appointment: str) -> bool:
        """Whether the cache that shows an appointment is renewed now and then, and says how old it is."""
        return self.scenario.chance.of("renewed", appointment).random() < 0.5


@dataclass(frozen=True, slots=True)
class Answered:
    """What is answered, how many seconds later, what that is in the story, and whether nothing can have come of it."""

    answer: Answer
    delay_s: float
    what: str
    not_processed: bool = False


def _no(status: int, message: str) -> Answer:
    return Answer(status, message=message, is_api_error=True)


def _seen(document: Appointment) -> str:
    return {True: "cancelled", False: "active", None: "silent"}[document.is_cancelled]


def _untrusted(trouble: str, meeting: Meeting | None, target: Target | None, rng: random.Random) -> Answer:
    statuses: dict[str, tuple[int, ...]] = {"5xx": (500, 502, 503, 504), "unclear": (408, 409, 421, 425)}
    if trouble in statuses:
        return Answer(rng.choice(statuses[trouble]), message="trouble", is_api_error=rng.random() < 0.5)
    if trouble == "html":
        return Answer(rng.choice((200, 400, 403, 404, 410, 429, 502)), message="html")
    if trouble in ("lost", "reset", "slow") or meeting is None:
        return Answer(message="connection reset")
    return Answer(200, appointment=_odd(trouble, meeting.document()))


def _odd(trouble: str, document: Appointment) -> Appointment:
    changes: dict[str, dict[str, Any]] = {
        "other": {"appointment_id": f"f{document.appointment_id[1:]}", "is_cancelled": True},
        "silent": {"is_cancelled": None, "attendee_ids": None, "removed_ids": frozenset()},
        "active": {"is_cancelled": False, "removed_ids": frozenset(), "attendee_ids": None},
    }
    return replace(document, **changes[trouble])
