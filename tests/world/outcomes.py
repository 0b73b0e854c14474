"""The judge of what was recorded: what an outcome rests on, and what stands in the way of more cancels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bulk_cancel.core.actions import SENT
from bulk_cancel.core.model import Entry, Target
from bulk_cancel.core.states import TRANSITIONS, Event, State
from bulk_cancel.errors import Exit
from world.api import Api, Departure
from world.past import Past, name_of
from world.scenario import ACCOUNTS, Scenario
from world.sends import STALE_S

if TYPE_CHECKING:
    from world.ran import Ran

#: From this number of forbidden targets on it is the credential, if nothing of the kind was granted.
_MANY = 5
_REFUSALS = {"post": (Event.REJECTED,), "get": (Event.SEEN_REFUSED,)}
_SETTLED_BY_A_NO = (Event.NOT_FOUND, Event.SEEN_MISSING, Event.REJECTED, Event.SEEN_REFUSED)
#: What the settle time of another run, and a process that stood still, may add to this run's.
_LATER_S = 700.0
#: Of one canary.
_CANARY_READS = 9


class Outcomes:
    """Judges what one history records, run by run."""

    def __init__(self, scenario: Scenario, api: Api, violated: Callable[[int, str], None]) -> None:
        self._scenario, self._api, self._violated = scenario, api, violated

    def after(self, ran: Ran, new: Sequence[Departure], before: Past, past: Past) -> None:
        """Judge what was recorded since the run before."""
        events = [(past.targets[number], event) for _, number, _, event, *_ in past.events[len(before.events) :]]
        self._no_address_says_nothing(new, events)
        self._not_again_and_again(before, past)
        self._a_denied_canary_ends_the_run(ran, new)
        if self._scenario.has("workers"):
            return
        if ran.job.accounts is None:
            self._many_are_the_credential(new, events)
            self._an_open_canary_comes_first(ran, new, before, past)
        self._one_at_a_time(ran, new, past)
        self._not_skipped_by_what_was(ran, events)
        self._not_what_is_known_as_gone(ran, new, before, past)
        self._a_cache_is_told(ran, new, past)
        self._a_forbidden_canary_is_none(ran, new)
        self._a_denied_canary_is_open(ran, new, events)

    def _no_address_says_nothing(self, new: Sequence[Departure], events: Sequence[tuple[Target, str]]) -> None:
        """A server without the address says nothing of an appointment."""
        if not any(one.answer is not None and _is_no_address(one) for one in new):
            return
        for target, event in events:
            about = [one for one in new if one.answer is not None and _is_about(one, target)]
            if event in _SETTLED_BY_A_NO and about and all(_is_no_address(one) for one in about):
                self._violated(4, f"{name_of(target)}: {event}, by a server that has no such address.")

    def _many_are_the_credential(self, new: Sequence[Departure], events: Sequence[tuple[Target, str]]) -> None:
        """Where a credential was granted nothing, and much was forbidden, no row is at fault."""
        for kind, refused in _REFUSALS.items():
            if self._was_granted(kind, new):
                continue
            asked = [one for one in new if one.kind == kind and one.answer is not None]
            forbidden = {one.target for one in asked if _is_forbidden(one)}
            only = forbidden - {one.target for one in asked if not _is_forbidden(one)}
            found = [target for target, event in events if event in refused and target in only]
            if len(forbidden) >= _MANY and found:
                told = f"{name_of(found[0])} is called refused, although the credential was granted nothing"
                self._violated(13, f"{told}, and {len(forbidden)} were forbidden.")

    def _was_granted(self, kind: str, new: Sequence[Departure]) -> bool:
        if any(one.kind == "post" and one.what == "cancelled" for one in new):
            return True
        shows = (one.kind == "list" or one.kind == "probe" or one.what.startswith("read ") for one in new)
        return kind == "get" and any(
            is_shown and one.answer is not None and one.answer.status == 200 and not one.was_blind
            for is_shown, one in zip(shows, new, strict=True)
        )

    def _an_open_canary_comes_first(self, ran: Ran, new: Sequence[Departure], before: Past, past: Past) -> None:
        """Nothing is sent while a canary is unverified, and no canary while an outcome is open that reads may tell."""
        open_ones = {number for number, state in before.states.items() if state in (State.SENDING, State.UNKNOWN)}
        last = {number: event for _, number, _, event, *_ in before.events}
        undecided = {number for number in open_ones if last.get(number) == Event.UNDECIDED}
        unverified = {number for number in open_ones if last.get(number) == Event.UNVERIFIED}
        for what in _in_order(ran, new):
            if isinstance(what, Departure):
                keeps = unverified or (open_ones - undecided if ran.job.canary else set[int]())
                if keeps:
                    told = name_of(past.targets[min(keeps)])
                    self._violated(14, f"{name_of(what.target)} was sent before the outcome of {told} was known.")
                return
            for entry in what:
                open_ones.discard(entry.target_id)
                unverified.discard(entry.target_id)
                if TRANSITIONS[entry.was, entry.event] is State.UNKNOWN:
                    open_ones.add(entry.target_id)
                    undecided |= {entry.target_id} if entry.event is Event.UNDECIDED else set()

    def _one_at_a_time(self, ran: Ran, new: Sequence[Departure], past: Past) -> None:
        """A worker records what came of a cancel before it sends the next."""
        most, under_way = ran.job.concurrency * (len(ACCOUNTS) if ran.job.accounts else 1), set[int]()
        for what in _in_order(ran, new if not ran.job.canary else ()):
            if not isinstance(what, Departure):
                for entry in what:
                    under_way.discard(entry.target_id)
                    under_way |= {entry.target_id} if entry.event is Event.INTENT else set()
            elif len(under_way) > most:
                told = f"{name_of(what.target)} was sent while {len(under_way) - 1} cancels had no outcome on record"
                self._violated(3, f"{told}, by {most} workers.")
                return

    def _not_again_and_again(self, before: Past, past: Past) -> None:
        """What was sent after an unknown outcome, and has none again, is not sent a third time in the same run."""
        new = {number for _, number, _, event, *_ in past.events[len(before.events) :] if event == Event.INTENT}
        for number in new:
            unknown, spent = 0, set[int]()
            for _, target, run, event, *_ in past.events:
                if target == number and event == Event.INTENT:
                    if run in spent:
                        self._violated(5, f"{name_of(past.targets[number])} was sent again and again in one run.")
                        return
                    sent_in = run
                elif target == number and event in (Event.NO_PROOF, Event.RECOVERED):
                    unknown += 1
                    spent |= {sent_in} if unknown > 1 else set()

    def _not_what_is_known_as_gone(self, ran: Ran, new: Sequence[Departure], before: Past, past: Past) -> None:
        """No attendee is removed from what the ledger knows as cancelled as a whole, whatever a replica shows."""
        states = dict(before.states)
        for what in _in_order(ran, new):
            if not isinstance(what, Departure):
                states |= {entry.target_id: TRANSITIONS[entry.was, entry.event] for entry in what}
            elif what.target is not None and what.target.attendee_id is not None:
                whole = (it for it in past.targets if past.targets[it] == Target(what.target.appointment_id))
                if any(states.get(it) in (State.CANCELLED, State.ALREADY_CANCELLED) for it in whole):
                    self._violated(12, f"{name_of(what.target)} was sent although the whole was known as cancelled.")

    def _a_cache_is_told(self, ran: Ran, new: Sequence[Departure], past: Past) -> None:
        """A person is asked where nothing but a cache of unknown age answers, once nothing more can take effect."""
        if ran.summary is None or ran.exit_code not in (0, 3, 4):
            return
        last = {number: event for _, number, _, event, *_ in past.events}
        sent_at = {one.target: one.at for one in self._api.departures if one.kind == "post"}
        for number, state in past.states.items():
            target = past.targets[number]
            reads = [one for one in new if one.kind == "get" and _is_about(one, target) and one.answer is not None]
            if state is not State.UNKNOWN or not reads or reads[-1].answer is None:
                continue
            is_cached = reads[-1].answer.age_s == math.inf and reads[-1].what == "read active"
            since = max(sent_at.get(target, math.inf), ran.process.host.booted_at)  # no clock tells more after a reboot
            is_late = reads[0].began - since > ran.job.settle + _LATER_S
            if is_cached and is_late and last[number] not in (Event.UNDECIDED, Event.UNVERIFIED):
                self._violated(14, f"{name_of(target)} is unknown, nothing but a cache answers, and nobody is told.")

    def _a_forbidden_canary_is_none(self, ran: Ran, new: Sequence[Departure]) -> None:
        for target in {one.target for one in new if one.kind == "post" and one.target is not None}:
            answers = [one for one in new if one.kind == "post" and one.target == target]
            is_named = f"did not verify: {target.appointment_id} is pending" in ran.told
            if is_named and all(_is_forbidden(one) for one in answers):
                self._violated(13, f"{name_of(target)} was forbidden, and is called a canary that did not verify.")

    def _may_be_stopped(self, ran: Ran) -> bool:
        """Whether a run may have to take the API's word for a canary, since there is no time for more readings."""
        return self._scenario.has("signal") or ran.job.max_duration is not None

    def _a_denied_canary_is_open(
        self, ran: Ran, new: Sequence[Departure], events: Sequence[tuple[Target, str]]
    ) -> None:
        """A canary whose readings never show it gone twice in a row is not called cancelled."""
        if self._may_be_stopped(ran):
            return
        for target in {target for target, event in events if event == Event.CANCELLED}:
            sent_at = max((one.at for one in new if one.kind == "post" and one.target == target), default=math.inf)
            if _is_denied(target, sent_at, new):
                self._violated(4, f"{name_of(target)} is called cancelled, which readings deny.")

    def _a_denied_canary_ends_the_run(self, ran: Ran, new: Sequence[Departure]) -> None:
        """A canary that reads deny to their end is told by the exit code, also when no row is left."""
        if (
            not ran.job.canary
            or self._may_be_stopped(ran)
            or ran.exit_code not in (Exit.OK, Exit.REFUSED_ROWS, Exit.UNKNOWN)
        ):
            return
        canaries: defaultdict[str, set[Target]] = defaultdict(set)  #: by account: its first targets
        for one in new:
            if one.kind != "post" or one.target is None or len(canaries[one.account] | {one.target}) > ran.job.canary:
                continue
            canaries[one.account].add(one.target)
            if _is_denied(one.target, one.at, new):
                self._violated(14, f"{name_of(one.target)} is a canary that reads deny: exit {ran.exit_code}.")

    def _not_skipped_by_what_was(self, ran: Ran, events: Sequence[tuple[Target, str]]) -> None:
        """Nothing is left out because of a time that was another one already when the run began."""
        approved = ran.approval.by_target if ran.approval else {}
        for target, event in events if not self._scenario.has("clock") else ():
            meeting = self._api.truth.meetings.get(target.appointment_id)
            is_left_out = target in approved and approved[target].action not in SENT
            if event != Event.SKIPPED or meeting is None or is_left_out:
                continue
            left_s = meeting.starts_at - self._api.clock.now
            is_known = meeting.moved_at is None or meeting.moved_at < ran.began_at - STALE_S
            if is_known and left_s > ran.job.late_within + STALE_S:
                self._violated(14, f"{name_of(target)} is skipped, and starts in {left_s:.0f} s.")


def _in_order(ran: Ran, new: Sequence[Departure]) -> Iterator[Collection[Entry] | Departure]:
    """Yield what was committed and the cancels that left, as they happened."""
    happened: list[tuple[int, Any]] = [(commit.order, commit.entries) for commit in ran.process.commits]
    happened += [(one.order, one) for one in new if one.kind == "post"]
    return (what for _, what in sorted(happened, key=lambda item: item[0]))


def _is_about(one: Departure, target: Target) -> bool:
    return one.target is not None and one.target.appointment_id == target.appointment_id


def _is_denied(target: Target, sent_at: float, new: Sequence[Departure]) -> bool:
    """Whether readings of a canary never show it cancelled twice in a row. (Of an attendee they tell nothing here.)"""
    after = (one for one in new if one.kind == "get" and one.target == target and one.at > sent_at)
    seen = [one.what for one in after if one.answered_at is not None and one.what.startswith("read ")]
    return target.attendee_id is None and len(seen) >= _CANARY_READS and ("read cancelled",) * 2 not in pairwise(seen)


def _is_no_address(one: Departure) -> bool:
    return one.answer is not None and one.answer.message.startswith("Cannot ")


def _is_forbidden(one: Departure) -> bool:
    return one.answer is not None and one.answer.status == 403 and one.answer.is_api_error
