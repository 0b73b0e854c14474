"""The judge: knows everything of the world, and of the program its inputs, files, exit codes, requests and ledger.

It is asked after every run, killed or not, and at the end. The numbers are those of the invariants in docs/testing.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from bulk_cancel.core.actions import SENT
from bulk_cancel.core.model import Entry, Status, Target, status_of
from bulk_cancel.core.states import TRANSITIONS, Event, State
from bulk_cancel.errors import Exit, LedgerError
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from world.api import Api, Departure
from world.outcomes import Outcomes
from world.past import Past, name_of, read_past
from world.scenario import Scenario
from world.sends import SEND_WITHIN_S, STALE_S, Sends, Sent
from world.truth import CANARY, Meeting

if TYPE_CHECKING:
    from world.ran import Ran

SETTLE_S = 600.0
#: Two readings that agree are so far apart, less what a clock may round.
CONFIRM_S = 4.9
#: What is being committed when the ledger's files are changed may end.
SWAP_S = 0.5
GOOD = frozenset({Status.CANCELLED, Status.ALREADY_CANCELLED, Status.SKIPPED})
GONE = frozenset({State.CANCELLED, State.ALREADY_CANCELLED})
NOT_APPLIED = frozenset({State.PENDING, State.WAITING, State.REJECTED, State.NOT_FOUND, State.FAILED, State.SKIPPED})
OPEN = frozenset({State.SENDING, State.UNKNOWN})
#: Refusals in the API's own words after which a target is asked again no sooner than after the settle time.
_FINAL = (400, 404)
_RESOLVED = (Event.RESOLVED_CANCELLED, Event.RESOLVED_NOT_CANCELLED)
_LEFT = Counter({Status.PENDING: 1, Status.FAILED: 1})
_WAITS = " for an earlier cancel that may still take effect"
#: What a run says that left rows although nothing halted it.
_NOTHING_HALTED = (" still to be sent: run the same command again", _WAITS)
UNFINISHED = frozenset({State.PENDING, State.WAITING, State.SENDING, State.UNKNOWN, State.FAILED})


class Judge:
    """Judges one history."""

    def __init__(self, scenario: Scenario, api: Api, ledger: Path, violated: Callable[[int, str], None]) -> None:
        self._scenario, self._api, self._ledger, self._violated = scenario, api, ledger, violated
        self._past = Past()
        self._judged = 0  #: departures
        self._events = 0
        self._decided: set[Target] = set()  #: by a person
        #: When a run, or a person, with which settle time proved a cancel of a target not applied.
        self._proofs: defaultdict[Target | None, list[tuple[float, float]]] = defaultdict(list)
        self._open: set[int] = set()  #: targets without an outcome that a read may still tell
        self._begun_by: dict[int, Ran] = {}  #: the ledger's number of a run -> the run
        self._sends, self._outcomes = Sends(scenario, api, violated), Outcomes(scenario, api, violated)

    def after(self, ran: Ran) -> None:
        """Judge what is seen after a run."""
        if ran.bug or ran.exit_code == Exit.BUG:
            self._violated(13, f"a bug: {ran.bug or ran.told}")
            return
        new = self._api.departures[self._judged :]
        self._judged = len(self._api.departures)
        is_refused = ran.error is not None and ran.error.exit_code in (Exit.CONFIG, Exit.DISK, Exit.BAD_INPUT)
        if ran.swapped_at is not None:
            self._swapped(ran.swapped_at, ran, new)
        elif not self._ledger.exists() or is_refused:
            if any(one.kind == "post" for one in new):
                self._violated(2, "a run that refuses its ledger sent a cancel.")
            return
        try:
            before, past = self._past, read_past(self._ledger)
        except apsw.Error as error:
            self._violated(3, f"the ledger cannot be read: {error}.")
            return
        self._begun_by |= dict.fromkeys(range(before.newest_run + 1, past.newest_run + 1), ran)
        self._history_only_grows(before, past)
        self._past = past
        self._never_twice()
        if any(0 < ran.process.full_at < commit.order for commit in ran.process.commits):
            self._violated(3, "the ledger was written to after a commit that failed.")
        if ran.process.full_at and ran.swapped_at is None and not ran.killed and ran.exit_code != Exit.DISK:
            self._violated(13, f"the disk was full, and exit code {ran.exit_code} tells of something else: {ran.told}")
        sent = self._intent_before_post(ran, new)
        self._states_tell_the_truth(past)
        self._sends.after(ran, new, sent, before, past)
        self._note_proofs(ran, past)
        self._outcomes.after(ran, new, before, past)
        self._unknown_leaves_by_evidence(past)
        self._decided_by_somebody(before, past)
        self._what_is_left_out_stays(ran, before, past)
        if ran.summary is not None:
            self._rows_add_up(ran, new, past)
            self._waits_for_something(ran, past)
            self._slots_are_back(ran)
            self._shown_counts(ran, past)
            self._nothing_waits_in_vain(ran, new, before, past)
        self._open = _open_ones(past)

    def _swapped(self, at: float, ran: Ran, new: Sequence[Departure]) -> None:
        """From the moment on when its files are changed a run records nothing, and hence sends nothing more."""
        if any(commit.at > at + SWAP_S for commit in ran.process.commits):
            self._violated(3, "a ledger that was changed in use was written to.")
        if any(one.kind == "post" and one.at > at + SEND_WITHIN_S for one in new):
            self._violated(2, "a cancel was sent although the ledger was changed in use.")

    def forgotten(self) -> None:
        """Judge that a lost ledger was forgotten: no cancel of it without an answer may take effect any more."""
        posts = {one.target: one for one in self._api.departures if one.kind == "post"}
        for number, state in self._past.states.items():
            one = posts.get(self._past.targets[number]) if state in OPEN and not self._scenario.has("clock") else None
            if one is not None and self._api.clock.now - one.at < self._sends.settle_s(one):
                self._violated(5, f"a ledger was forgotten, and the cancel of {name_of(one.target)} may take effect.")

    def settles_at(self) -> float | None:
        """Return when the first open outcome is past its settle time; None when none is open."""
        sent_at = {one.target: one for one in self._api.departures if one.kind == "post"}
        numbers = (number for number, state in self._past.states.items() if state in OPEN)
        open_ones = (sent_at.get(self._past.targets[number]) for number in numbers)
        return min((one.at + self._sends.settle_s(one) for one in open_ones if one is not None), default=None)

    def unknown_targets(self) -> Iterator[Target]:
        """Yield what a person is asked to decide."""
        for number, state in self._past.states.items():
            if state is State.UNKNOWN:
                yield self._past.targets[number]

    def decided(self, target: Target, *, cancelled: bool, settle_s: float) -> None:
        """Judge a person's decision that was recorded; a no is taken once the settle time is over, and proves it."""
        self._decided.add(target)
        number = next(it for it, known in self._past.targets.items() if known == target)
        event = Event.RESOLVED_CANCELLED if cancelled else Event.RESOLVED_NOT_CANCELLED
        self._past.states[number] = TRANSITIONS[State.UNKNOWN, event]
        self._open.discard(number)
        if cancelled:
            return
        now = self._api.clock.now
        self._proofs[target].append((now, settle_s))
        one = [it for it in self._api.departures if it.kind == "post" and it.target == target][-1:]
        if any(now - it.at < max(settle_s, self._sends.settle_s(it)) for it in one):
            self._violated(5, f"{name_of(target)} was declared not cancelled {now - one[0].at:.1f} s after its cancel.")

    def known(self) -> dict[int, tuple[Target, State]]:
        """Return the targets of the ledger and their states, by number."""
        return {number: (self._past.targets[number], state) for number, state in self._past.states.items()}

    def skipped(self) -> frozenset[int]:
        """Return the targets that a rule has left out. Every run looks at them again."""
        return frozenset(number for number, state in self._past.states.items() if state is State.SKIPPED)

    def due(self, skipped: Iterable[int], since: float, ran: Ran) -> Collection[Target]:
        """Return those of these that no rule leaves out any more: too late then, begun since, and past may be sent."""
        found, meetings = [self._past.targets[number] for number in skipped], self._api.truth.meetings
        begun = {it for it in found if since <= meetings[it.appointment_id].starts_at <= self._api.clock.now}
        return () if ran.job.skip_past else begun

    def refused_one(self, skipped: Iterable[int], due: Collection[Target], ran: Ran) -> bool:
        """Whether one of these is refused now, and rightly: it is due, or the user whom its row names may not see it.

        Of the latter a page of another user's list had shown that it is to be skipped; now it was read by itself.
        """
        past = self._past
        for target in (past.targets[number] for number in skipped if past.states[number] is State.REJECTED):
            if target in due and not self._not_right(target, State.REJECTED, ran):
                return True
            if not self._may_see(target, ran):
                return True
        return False

    def finished(self, ran: Ran) -> None:
        """Judge the end: what the ledger says is what is true, and it is whole."""
        past = self._past
        with suppress(LedgerError), closing(SqliteLedger.open_to_read(self._ledger)) as ledger:
            for wrong in ledger.verify():
                self._violated(3, wrong)
        for number in dict.fromkeys(target for _, target in past.rows if target is not None):
            if why := self._not_right(past.targets[number], past.states[number], ran):
                self._violated(13, f"{name_of(past.targets[number])} ended as {past.states[number].value}: {why}.")

    def nothing_private(self, folder: Path, told: str, token: str) -> None:
        """Look for the credential and for what identifies people in everything that was written."""
        for name, content in [("stderr", told.encode()), *((str(file), file.read_bytes()) for file in _files(folder))]:
            for secret in (CANARY, token):
                if secret.encode() in content:
                    self._violated(9, f"{Path(name).name} contains {secret[:8]}….")

    # -- 1 to 5 -------------------------------------------------------------------------------------------------------

    def _never_twice(self) -> None:
        counted = Counter(
            (effect.appointment_id, effect.attendee_id) for effect in self._api.truth.effects if effect.post is not None
        )
        for (appointment, attendee), times in counted.items():
            if times > (2 if appointment == self._api.broken else 1):
                self._violated(1, f"{times} cancels took effect on {name_of(Target(appointment, attendee))}.")

    def _intent_before_post(self, ran: Ran, new: Sequence[Departure]) -> list[Sent]:
        """Go through commits and cancels in their order; return the cancels with what was durable for each."""
        numbers = {target: number for number, target in self._past.targets.items()}
        durable, sent = dict[int, tuple[Entry, float] | None](), list[Sent]()
        still_open = set(self._open)
        happened: list[tuple[int, Any]] = [(commit.order, commit) for commit in ran.process.commits]
        happened += [(one.order, one) for one in new if one.kind == "post"]
        for _, what in sorted(happened, key=lambda item: item[0]):
            if isinstance(what, Departure):
                number = numbers.get(what.target)  # type: ignore[arg-type]
                if (met := self._meets(what.target, still_open - {number})) is not None:
                    self._violated(5, f"{name_of(what.target)} was sent while {name_of(met)} had no outcome.")
                intent, at = (durable.pop(number, None) if number is not None else None) or (None, 0.0)
                if intent is None:
                    self._violated(2, f"a cancel of {name_of(what.target)} left without a durable intent.")
                sent.append(Sent(what, self._ordered_by(ran, intent), number, intent, at))
            else:
                for entry in what.entries:
                    if entry.event in (Event.INTENT, Event.RECOVERED, Event.NO_PROOF):
                        still_open.add(entry.target_id)
                    else:
                        still_open.discard(entry.target_id)
                    durable[entry.target_id] = (entry, what.at) if entry.event is Event.INTENT else None
        intents = Counter(event[1] for event in self._past.events if event[3] == Event.INTENT)
        posts = Counter(numbers.get(one.target) for one in self._api.departures if one.kind == "post")  # type: ignore[arg-type]
        for number, count in posts.items():
            if number is not None and count > intents[number]:
                self._violated(2, f"{name_of(self._past.targets[number])}: {count} sends, {intents[number]} intents.")
        return sent

    def _meets(self, sent: Target | None, others: Iterable[int]) -> Target | None:
        """Return the open target that a cancel meets: one of the two is a series, which may include the other."""
        open_ones = (self._past.targets[number] for number in sorted(others))
        return next((one for one in open_ones if one.entire_series or (sent and sent.entire_series)), None)

    def _ordered_by(self, ran: Ran, entry: Entry | None) -> Ran:
        """Return the run to whose order an intent or a proof belongs: workers go on with earlier ones."""
        if entry is None or not self._scenario.has("workers"):
            return ran
        about = entry.target_id, entry.event, entry.attempt_no
        numbers = (
            run for _, target, run, event, attempt_no, *_ in self._past.events if (target, event, attempt_no) == about
        )
        return self._begun_by.get(next(numbers, 0), ran)

    def _history_only_grows(self, before: Past, after: Past) -> None:
        if after.events[: len(before.events)] != before.events:
            self._violated(3, "the history is not what it was.")
        states: dict[int, State] = {}
        attempts: Counter[int] = Counter()
        for _, target, _, event, attempt_no, _, _ in after.events:
            state = states.get(target, State.PENDING)
            becomes = TRANSITIONS.get((state, Event(event)))
            if becomes is None:
                self._violated(3, f"{name_of(after.targets[target])}: {event} while {state.value}.")
                return
            attempts[target] += event == Event.INTENT
            if attempt_no != attempts[target]:
                told = f"{event} has the attempt {attempt_no} and not {attempts[target]}"
                self._violated(3, f"{name_of(after.targets[target])}: {told}.")
            states[target] = becomes
        for target, state in after.states.items():
            if states.get(target, State.PENDING) is not state:
                self._violated(3, f"{name_of(after.targets[target])} is {state.value}, its history says otherwise.")

    def _states_tell_the_truth(self, past: Past) -> None:
        ours = Counter(
            (effect.appointment_id, effect.attendee_id) for effect in self._api.truth.effects if effect.post is not None
        )
        taken_along = {effect.post for effect in self._api.truth.effects}
        for number, state in past.states.items():
            target = past.targets[number]
            meeting = self._api.truth.meetings.get(target.appointment_id)
            if (
                state is State.CANCELLED
                and meeting
                and meeting.exists
                and meeting.gone_since(target.attendee_id) is None
            ):
                self._violated(4, f"{name_of(target)} is marked cancelled and is not.")
            if target.appointment_id == self._api.broken:
                continue
            if state in NOT_APPLIED and ours[target.appointment_id, target.attendee_id]:
                own = {one.number for one in self._api.departures if one.kind == "post" and one.target == target}
                if own & taken_along:
                    self._violated(4, f"{name_of(target)} is marked {state.value}, but a cancel of it took effect.")

    def _unknown_leaves_by_evidence(self, past: Past) -> None:
        posts: defaultdict[Target, list[Departure]] = defaultdict(list)
        for one in self._api.departures:
            if one.kind == "post" and one.target is not None:
                posts[one.target].append(one)
        resolved = {past.targets[event[1]] for event in past.events if event[3] == Event.RESOLVED_NOT_CANCELLED}
        for target, sent in posts.items():
            for first, again in pairwise(sent):
                is_no = first.not_processed and first.answered_at is not None
                if is_no and first.answer is not None and first.answer.status not in _FINAL:
                    continue
                settle_s = max(self._sends.settle_s(first), self._proved_by_s(first, again))
                if again.at - first.at < settle_s:
                    what = "was refused" if is_no else "had no answer that proves anything"
                    told = f"was sent again {again.at - first.at:.1f} s after a cancel that {what}"
                    self._violated(5, f"{name_of(target)} {told}.")
                elif is_no:
                    continue
                elif self._reads(target, first.at + settle_s, again.at) < (1 if target in resolved else 2):
                    self._violated(5, f"{name_of(target)} was sent again without two readings after the settle time.")

    def _decided_by_somebody(self, before: Past, past: Past) -> None:
        for _, number, _, event, *_ in past.events[len(before.events) :]:
            if event in _RESOLVED and past.targets[number] not in self._decided:
                self._violated(5, f"{name_of(past.targets[number])} is on record as decided, and nobody decided it.")

    def _note_proofs(self, ran: Ran, past: Past) -> None:
        for commit in ran.process.commits:
            for entry in commit.entries:
                if entry.was is State.UNKNOWN and TRANSITIONS[entry.was, entry.event] is State.WAITING:
                    target = past.targets[entry.target_id]
                    proof = commit.at, self._ordered_by(ran, entry).job.settle
                    self._proofs[target].append(proof)
                    self._proved_by_two_readings(target, *proof)

    def _proved_by_two_readings(self, target: Target, at: float, settle_s: float) -> None:
        """Both were taken after the settle time, some seconds apart; one of a cache is as old as the cache says."""
        sent = [it for it in self._api.departures if it.kind == "post" and it.target == target and it.at <= at]
        if sent:
            since = sent[-1].at + max(settle_s, self._sends.settle_s(sent[-1]))
            shown = [moment for moment in self._shown_active(target, at) if moment >= since]
            if not shown or max(shown) - min(shown) < CONFIRM_S:
                self._violated(5, f"{name_of(target)} is on record as not cancelled without two readings of it.")

    def _shown_active(self, target: Target, until: float) -> Iterator[float]:
        """Yield of when the single readings are that have shown it active."""
        for it in self._api.departures:
            is_read = it.what == "read active" and it.target is not None and _is_of(it.target, target)
            if is_read and it.answer is not None and it.answered_at is not None and it.answered_at <= until:
                yield it.began - it.answer.age_s

    def _proved_by_s(self, first: Departure, again: Departure) -> float:
        """Return the settle time by which a run, or a person, proved a cancel not applied: not always the sender's."""
        proofs = (settle_s for at, settle_s in self._proofs[first.target] if first.at < at <= again.at)
        return next(proofs, self._sends.settle_s(again))

    def _reads(self, target: Target, since: float, until: float) -> int:
        """Count the readings that may have shown it active: single ones that did, and one that a list may have held."""
        within = [
            it
            for it in self._api.departures
            if it.answered_at is not None
            and since <= it.at <= until
            and (it.kind == "list" or (it.what == "read active" and it.target and _is_of(it.target, target)))
        ]
        singly = sum(it.kind == "get" for it in within)
        count = singly + any(it.kind == "list" for it in within)
        are_apart = within and max(it.at for it in within) - min(it.at for it in within) >= CONFIRM_S
        return count if are_apart else min(1, count)

    # -- 6 to 14 ------------------------------------------------------------------------------------------------------

    def _rows_add_up(self, ran: Ran, new: Sequence[Departure], past: Past) -> None:
        assert ran.summary is not None
        if ran.reconciles or not ran.rows:
            if ran.exit_code == Exit.OK and {State.UNKNOWN, State.WAITING} & set(past.states.values()):
                self._violated(14, "a reconcile ends with exit code 0 although a run has something to do.")
            return
        counts = Counter(status_of(past.states[target] if target else None) for _, target in past.rows)
        if [row for row, _ in past.rows] != [row.row for row in ran.rows]:
            self._violated(6, "the ledger's rows are not those of the input.")
        if counts != Counter({status: count for status, count in ran.summary.counts.items() if count}):
            self._violated(6, f"the summary counts {dict(ran.summary.counts)}, the ledger {dict(counts)}.")
        unsent = {target for _, target in past.rows if target and past.states[target] is State.PENDING}
        if self._scenario.has("workers"):  # who look up what is open of the run's own rows alone
            others = _open_ones(past) - {target for _, target in past.rows}
            unsent = {it for it in unsent if not _is_held_up(past.targets[it], [past.targets[one] for one in others])}
        unread = [past.targets[it] for it in _open_ones(past) if _is_unread(past.targets[it], new)]
        unsent = {it for it in unsent if not _is_held_up(past.targets[it], unread)}
        if ran.job.wait and unsent and _left_rows_unhalted(ran):
            self._violated(14, f"{len(unsent)} rows were not sent, although the run was to wait: {ran.told}")
        if ran.exit_code == Exit.REFUSED_ROWS and counts & _LEFT:
            self._violated(14, f"exit code 3 asks for a person alone, with {dict(counts)}.")
        if ran.exit_code == Exit.OK:
            if not set(counts) <= GOOD:
                self._violated(6, f"exit code 0 with {dict(counts)}.")
            self._nobody_is_needed(ran, past)

    def _nobody_is_needed(self, ran: Ran, past: Past) -> None:
        """What exit code 0 says."""
        if State.UNKNOWN in past.states.values():
            self._violated(14, "exit code 0 although a cancel has no known outcome.")
        if past.warned:
            self._violated(14, f"exit code 0 although the after-effects of {past.warned} cancels went wrong.")
        if past.changed:
            self._violated(14, f"exit code 0 although {past.changed} targets are not what was approved.")
        if "did not verify" in ran.told:
            self._violated(14, f"exit code 0 although a person is needed: {ran.told}")
        for number in {target for _, target in past.rows if target is not None}:
            target, approved = past.targets[number], ran.approval
            meeting = self._api.truth.meetings.get(target.appointment_id)
            if past.states[number] is not State.SKIPPED or approved is None or meeting is None:
                continue
            is_left_out = target in approved.by_target and approved.by_target[target].action not in SENT
            left_s = meeting.starts_at - self._api.clock.now
            if not is_left_out and left_s > ran.job.late_within + STALE_S and not self._scenario.has("clock"):
                self._violated(14, f"exit code 0 although no rule leaves {name_of(target)} out.")

    def _waits_for_something(self, ran: Ran, past: Past) -> None:
        """Rows that are told to wait for an earlier cancel do."""
        open_ones = [past.targets[it] for it in _open_ones(past)]
        left = [past.targets[it] for _, it in past.rows if it and past.states[it] in (State.PENDING, State.WAITING)]
        if _WAITS in ran.told and not any(_is_held_up(it, open_ones) for it in left):
            self._violated(14, f"no row waits for an earlier cancel: {ran.told}")

    def _nothing_waits_in_vain(self, ran: Ran, new: Sequence[Departure], before: Past, past: Past) -> None:
        """Once all is calm, where nothing halts a run, no row waits for a cancel that a person alone can settle."""
        if not (self._api.calm and new) or not _left_rows_unhalted(ran):
            return
        if ran.job.canary or self._scenario.has("workers"):
            return
        waited_for = [past.targets[it] for it in _open_ones(before)]
        for number in {target for _, target in past.rows if target is not None}:
            target = past.targets[number]
            if past.states[number] in (State.PENDING, State.WAITING) and not _is_held_up(target, waited_for):
                self._violated(13, f"{name_of(target)} waits for nothing that a run or a read can tell.")

    def _slots_are_back(self, ran: Ran) -> None:
        for limiter in ran.process.limiters:
            if limiter._held != 0 and ran.exit_code != Exit.DISK:
                self._violated(8, f"{limiter._held} slots were not given back.")

    def _shown_counts(self, ran: Ran, past: Past) -> None:
        """What a person is shown at the end is not more than there is."""
        if ran.standing is None:
            return
        known = Counter(status_of(state).value for state in past.states.values())
        for shown in filter(None, ran.standing().counts.split(", ")):
            count, _, status = shown.partition(" ")
            if int(count) > known[status]:
                self._violated(6, f"{shown} were shown, the ledger has {known[status]}.")

    def _what_is_left_out_stays(self, ran: Ran, before: Past, past: Past) -> None:
        """What an approved plan sends nothing to is neither taken up again nor tried until it has failed."""
        approved = ran.approval.by_target if ran.approval else {}
        states = dict(before.states)
        for _, number, _, event, *_ in past.events[len(before.events) :]:
            found, was = approved.get(past.targets[number]), states.get(number, State.PENDING)
            if found is not None and found.action not in SENT:
                name = f"{name_of(past.targets[number])} (approved: {found.action.value})"
                if event == Event.RESTAGED and was in (State.REJECTED, State.NOT_FOUND):
                    self._violated(6, f"{name} was {was.value} and is taken up again.")
                if event == Event.GIVEN_UP:
                    self._violated(6, f"{name} was tried until it had failed.")
            states[number] = TRANSITIONS.get((was, Event(event)), was)

    def _is_left(self, target: Target, first: Meeting) -> bool:
        """Whether an occurrence of a series is active, and was a later one already when its cancel took effect."""
        truth, departures = self._api.truth, self._api.departures
        own = (one.at for one in truth.effects if one.post is not None and departures[one.post - 1].target == target)
        at = max(own, default=truth.clock.now)
        start = first.as_of(at).start or ""
        return any((one.as_of(at).start or "") > start for one in truth.siblings(first))

    def _not_right(self, target: Target, state: State, ran: Ran) -> str:
        meeting = self._api.truth.meetings[target.appointment_id]
        if target.appointment_id == self._api.broken and state not in GONE:
            is_told = ran.exit_code != Exit.OK or state is State.SKIPPED
            return "" if is_told else "nobody is told"
        if state in UNFINISHED:
            return "nothing says what becomes of it"
        if state in GONE and target.entire_series and self._is_left(target, meeting):
            return "an occurrence of the series is active"
        if state in GONE:
            return "" if not meeting.exists or meeting.gone_since(target.attendee_id) is not None else "it is active"
        if state is State.NOT_FOUND:
            known = meeting.exists and meeting.deleted_at is None and target.attendee_id in (None, *meeting.attendees)
            return "it is there" if known else ""
        if state is State.SKIPPED:
            left_s = meeting.starts_at - self._api.clock.now
            return "it is not past" if left_s > ran.job.late_within + STALE_S else ""
        if target.attendee_id is not None and target.attendee_id not in meeting.attendees:
            return ""  # the API refuses to remove who is not in it
        refuses = (
            not self._may_see(target, ran) or target.entire_series or (meeting.is_group and target.attendee_id is None)
        )
        return "" if refuses else "the API would not refuse it"

    def _may_see(self, target: Target, ran: Ran) -> bool:
        users = {Target(*row[1:4]): row.user_id or ran.job.user_id for row in ran.rows if row.appointment_id}
        return self._api.may_see(self._api.truth.meetings[target.appointment_id], users.get(target))


def _left_rows_unhalted(ran: Ran) -> bool:
    return any(told in ran.told for told in _NOTHING_HALTED)


def _open_ones(past: Past) -> set[int]:
    """Return the targets whose cancels may still take effect."""
    last = {target: event for _, target, _, event, *_ in past.events}
    return {it for it, state in past.states.items() if state in OPEN and last[it] != Event.UNDECIDED}


def _is_unread(target: Target, new: Sequence[Departure]) -> bool:
    """Whether the last single read of an open target failed: no run waits for what the API does not tell."""
    reads = [one for one in new if one.kind == "get" and one.target == target]
    return bool(reads) and (reads[-1].answer is None or reads[-1].answer.status != 200)


def _is_held_up(target: Target, waited_for: Iterable[Target]) -> bool:
    return any(it.entire_series or target.entire_series or _is_of(it, target) for it in waited_for)


def _is_of(one: Target, other: Target) -> bool:
    return one.appointment_id == other.appointment_id


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file())
