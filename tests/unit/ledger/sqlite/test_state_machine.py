"""Random histories of the real ledger against a server at its worst: the invariants hold after every step.

The machine does what the program does, in the program's order: a durable intent, the send, the outcome if there is
one. Everything else is chance: what the server does and when, which answers arrive, when the process dies, what time
it is, what the input asks for next, what a person decides.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Appointment, Entry, InputRow, Work
from bulk_cancel.core.outcome import resolve_unknown
from bulk_cancel.core.states import DONE, OPEN, SENDABLE, SETTLED, Event, State, fold
from bulk_cancel.ledger.port import RunStart, Unknown
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from support.examples import examples
from support.given import uuid
from support.hostile import SETTLE_S, Clocks, Truth
from support.ledger_files import kill

APPOINTMENTS = range(1, 3)
REASONS = ("closed", "moved")
#: Answers that prove that nothing was applied.
CLEAR_ANSWERS = (Event.NOT_APPLIED, Event.REJECTED, Event.NOT_FOUND, Event.CREDENTIAL_REFUSED)

appointments = st.sampled_from(APPOINTMENTS)
delays = st.sampled_from((1.0, SETTLE_S / 2, SETTLE_S - 1.0))


class HostileServer(RuleBasedStateMachine):
    """One ledger through many runs, with two appointments."""

    @initialize(restarts=st.booleans())
    def first_run(self, restarts: bool) -> None:
        #: Ages across a restart of the machine are told by the wall clock alone: there it has to be right.
        self.machine_restarts = restarts
        self.folder = Path(tempfile.mkdtemp())
        self.clocks, self.base = Clocks(), TimeBase(None, 0.0)
        self.server = {number: Truth() for number in APPOINTMENTS}
        self.reason = dict.fromkeys(APPOINTMENTS, REASONS[0])
        self.misled: set[int] = set()  #: a person said "not cancelled" of what may still take effect
        self.declared: set[int] = set()  #: a person said "cancelled"
        self.seen: dict[int, list[str]] = {number: [] for number in APPOINTMENTS}
        self.files = self.runs = 0
        self.ledger = SqliteLedger.open(self.folder / "0.db")
        self.start()

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    # -- what the program does ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a run as a new process does: its rows, then what the last one left behind."""
        self.runs += 1
        self.base = self.clocks.base()
        self.run_no = self.ledger.begin_run(RunStart(f"run-{self.runs}", self.now(), self.base))
        rows = [InputRow(n, uuid(n), None, False, False, self.reason[n], None, n, None) for n in APPOINTMENTS]
        self.ledger.stage(self.run_no, rows, self.now())
        self.ledger.start_run(self.run_no)
        self.ledger.recover(self.run_no, self.now())
        self.settle_unknown()

    def now(self) -> float:
        """The process's idea of the wall clock: monotonic since its start."""
        return self.base.wall(self.clocks.mono)

    def work(self, number: int) -> Work:
        (work,) = self.ledger.find_targets(uuid(number))
        return work

    def record(self, work: Work, event: Event) -> None:
        attempt_no = work.attempts + (event is Event.INTENT)
        self.ledger.append(self.run_no, [Entry(work.target_id, event, work.state, attempt_no, self.now())])

    def sendable(self, number: int) -> bool:
        offered = self.ledger.work(self.run_no, 0, series=False, limit=100)
        return uuid(number) in [work.target.appointment_id for _, work in offered]

    def send(self, number: int) -> Truth:
        """Write the intent, then let the bytes leave."""
        self.record(self.work(number), Event.INTENT)
        self.server[number].arrivals += 1
        return self.server[number]

    def has(self, *states: State) -> bool:
        return any(self.work(number).state in states for number in APPOINTMENTS)

    # -- sending ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.has(*SENDABLE))
    @rule(number=appointments, answer=st.sampled_from((Event.CANCELLED, *CLEAR_ANSWERS)))
    def sent_and_answered(self, number: int, answer: Event) -> None:
        if self.sendable(number):
            truth = self.send(number)
            if answer is Event.CANCELLED:
                truth.apply(self.clocks.wall)
            elif truth.is_cancelled:
                answer = Event.ALREADY_CANCELLED
            self.record(self.work(number), answer)

    @precondition(lambda self: self.has(*SENDABLE))
    @rule(number=appointments, applied=st.booleans(), noticed=st.booleans())
    def sent_and_the_answer_is_lost(self, number: int, applied: bool, noticed: bool) -> None:
        if self.sendable(number):
            truth = self.send(number)
            if applied:
                truth.apply(self.clocks.wall)
            self.notice(number, noticed)

    @precondition(lambda self: self.has(*SENDABLE))
    @rule(number=appointments, delay=delays, noticed=st.booleans())
    def sent_and_applied_late(self, number: int, delay: float, noticed: bool) -> None:
        if self.sendable(number):
            self.send(number).on_the_way.append(self.clocks.mono + delay)
            self.notice(number, noticed)

    def notice(self, number: int, noticed: bool) -> None:
        if noticed:
            self.record(self.work(number), Event.NO_PROOF)

    @precondition(lambda self: self.has(State.SENDING))
    @rule(number=appointments)
    def the_deadline_passes(self, number: int) -> None:
        if self.work(number).state is State.SENDING:
            self.record(self.work(number), Event.NO_PROOF)

    @rule(number=appointments, event=st.sampled_from((Event.GIVEN_UP, Event.SKIPPED)))
    def policy_takes_it_out(self, number: int, event: Event) -> None:
        work = self.work(number)
        if work.state is State.WAITING or (work.state is State.PENDING and event is Event.SKIPPED):
            self.record(work, event)

    @rule(number=appointments)
    def read_before_sending(self, number: int) -> None:
        if self.work(number).state in SENDABLE and self.server[number].is_cancelled:
            self.record(self.work(number), Event.SEEN_CANCELLED)

    # -- finding out --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.has(State.UNKNOWN))
    @rule()
    def reconcile(self) -> None:
        self.settle_unknown()

    def settle_unknown(self) -> None:
        for item in self.ledger.unknown(0, 100):
            number = int(item.work.target.appointment_id[-4:])
            truth = self.server[number]
            if truth.is_cancelled:
                seen = Appointment(uuid(number), True, truth.cancelled_at)
                self.record(item.work, resolve_unknown(item.intent_at, seen))
            elif self.age_s(item) >= SETTLE_S:
                self.record(item.work, Event.SEEN_ACTIVE)

    def age_s(self, item: Unknown) -> float:
        return self.base.age_s(item.last_at, item.base, self.clocks.mono)

    @rule(number=appointments, says=st.sampled_from((Event.RESOLVED_CANCELLED, Event.RESOLVED_NOT_CANCELLED)))
    def a_person_decides(self, number: int, says: Event) -> None:
        work, truth = self.work(number), self.server[number]
        if work.state is State.UNKNOWN:
            self.record(work, says)
            if says is Event.RESOLVED_CANCELLED:
                self.declared.add(number)
            elif truth.applied or truth.on_the_way:
                self.misled.add(number)

    # -- the world ----------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((1.0, 60.0, SETTLE_S / 2, SETTLE_S)))
    def time_passes(self, seconds: float) -> None:
        self.clocks.pass_time(seconds)
        for truth in self.server.values():
            for due in [due for due in truth.on_the_way if due <= self.clocks.mono]:
                truth.on_the_way.remove(due)
                truth.apply(self.clocks.wall)

    @rule(number=appointments)
    def someone_else_cancels(self, number: int) -> None:
        truth = self.server[number]
        truth.by_someone_else = True
        truth.cancelled_at = truth.cancelled_at or self.clocks.wall

    @precondition(lambda self: not self.machine_restarts)
    @rule(seconds=st.sampled_from((-172_800.0, -3600.0, 3600.0, 172_800.0)))
    def the_wall_clock_is_set(self, seconds: float) -> None:
        self.clocks.set_wall(seconds)

    # -- ends and beginnings ------------------------------------------------------------------------------------------

    @rule(half_written=st.booleans())
    def killed_and_started_again(self, half_written: bool) -> None:
        self.files += 1
        copy = kill(self.ledger, self.folder / f"{self.files}.db")
        if half_written:  # a frame that no commit follows
            with Path(f"{copy}-wal").open("ab") as wal:
                wal.write(bytes(range(256)) * 20)
        self.ledger.close()
        self.ledger = SqliteLedger.open(copy)
        self.start()

    @precondition(lambda self: self.machine_restarts)
    @rule()
    def the_machine_restarts(self) -> None:
        self.time_passes(30.0)
        before = self.clocks.mono
        self.clocks.reboot()
        for truth in self.server.values():
            truth.on_the_way = [due - before + self.clocks.mono for due in truth.on_the_way]
        self.killed_and_started_again(half_written=False)

    @rule(number=appointments, reason=st.sampled_from(REASONS))
    def run_again_with_another_request(self, number: int, reason: str) -> None:
        if not self.has(State.SENDING):
            self.reason[number] = reason
            self.ledger.close()
            self.ledger = SqliteLedger.open(self.ledger.path)
            self.start()

    # -- the invariants of FAULTS.md ----------------------------------------------------------------------------------

    @invariant()
    def no_cancel_takes_effect_twice(self) -> None:
        for number, truth in self.server.items():
            assert truth.applied <= 1 or number in self.misled

    @invariant()
    def nothing_arrives_without_an_intent(self) -> None:
        for number, truth in self.server.items():
            assert truth.arrivals == self.work(number).attempts

    @invariant()
    def the_history_only_grows_and_tells_the_state(self) -> None:
        for number in APPOINTMENTS:
            work = self.work(number)
            lines = self.ledger.history(work.target_id)
            events = [line.event for line in lines]
            assert events[: len(self.seen[number])] == self.seen[number]
            assert fold(Event(event) for event in events) is work.state
            intents = [line.attempt_no for line in lines if line.event == Event.INTENT]
            assert intents == list(range(1, work.attempts + 1))
            self.seen[number] = events

    @invariant()
    def what_is_settled_stays(self) -> None:
        for number, events in self.seen.items():
            states = [fold(Event(event) for event in events[:length]) for length in range(len(events) + 1)]
            for before, event in zip(states, events, strict=False):
                assert before not in DONE, number
                assert before not in SETTLED or event == Event.RESTAGED

    @invariant()
    def states_tell_the_truth(self) -> None:
        for number, truth in self.server.items():
            state = self.work(number).state
            if state in DONE:
                assert truth.is_cancelled or number in self.declared
            elif state not in OPEN and number not in self.misled:
                assert not truth.applied
                assert not truth.on_the_way

    @invariant()
    def every_row_has_one_state(self) -> None:
        counts = self.ledger.counts(self.run_no)
        assert counts == Counter(self.work(number).state for number in APPOINTMENTS)
        assert self.ledger.unknown_count() == sum(counts.get(state, 0) for state in OPEN)
        assert self.ledger.sendable_count(self.run_no) == sum(counts.get(state, 0) for state in SENDABLE)

    @invariant()
    def the_ledger_is_whole(self) -> None:
        assert self.ledger.verify() == []


_SLOW = {"suppress_health_check": [HealthCheck.too_slow]}


class TestHostileServer(HostileServer.TestCase):
    """Enough to find a broken rule. Long histories are the simulated world's."""

    settings = examples(10, stateful_step_count=40, **_SLOW)
