"""Plays one history: an operator runs the program again and again while the world misbehaves, until all is calm."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import tempfile
import traceback
from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import replace
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any, cast

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bulk_cancel.access.ledgers import LedgerFile, LedgerPlace
from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.cluster.completion import facts_of, summary_of
from bulk_cancel.cluster.dispatch import Dispatch, hand_out
from bulk_cancel.cluster.queue import Queue
from bulk_cancel.commands.reconcile import prepare_reconcile
from bulk_cancel.commands.resolve import Decision, resolve
from bulk_cancel.commands.run import carry, prepare, run_in
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.states import SENDABLE
from bulk_cancel.core.target_name import target_name
from bulk_cancel.engine.runner import Runner
from bulk_cancel.errors import BulkCancelError, Exit, LedgerLostError, LedgerUnreachableError, UsageError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.execute import Approval, RunFacts, contexts_of, execute_attended
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.shared import SharedLedger
from bulk_cancel.ledger.sqlite import file_guard
from bulk_cancel.ops import locks
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import Job
from world import workflows
from world.api import Api
from world.judge import Judge
from world.loop import Killed, StuckError
from world.mischief import ANOTHER, LedgerFiles, Swap, forgotten
from world.past import read_past
from world.people import comes_again_s, hide_groups, is_gone, postpone, send_colleagues
from world.place import URL, place_of
from world.process import Host, Process
from world.queue import EPOCH, WorldClock
from world.ran import Played, Ran, Shown, ended
from world.ready import any_job, new_ledger
from world.rows import GivenRows, approved_now, widened, write_accounts, write_rows
from world.scenario import ACCOUNTS, FEATURES, Scenario, numbered
from world.truth import HOST
from world.worker import WorkerProcess
from world.workers import Fleet

SETTLE_S = 600.0
#: Runs after which everything has to be in order, once all is calm.
MOST_CALM_RUNS = 10
#: Numbers of workers' lives begin here, those of commands are below.
_LIVES, _SECOND, _FORGETS, _ELSEWHERE = 1_000_000, 500_000, 400_000, 300_000
_CHECKPOINT_PAGES = 30
TOKEN = "rgo-canary-7fd2b1c0"
#: A key of the platform: it acts as the user whom a request names.
KEY = f"ak_live:00000000-0000-4000-8000-00000000dddd:{TOKEN}"
_SHM = Path("/dev/shm")
_LOG = structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=structlog.make_filtering_bound_logger(50))
#: What would keep the operator from coming to the end once all is calm.
_HINDRANCES = ("max_errors", "max_duration", "send_window", "outside_window")


def play(scenario: Scenario) -> Played:
    """Play one history from its beginning to its calm end, and judge it."""
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=_SHM if _SHM.is_dir() else None))
    try:
        with redirect_stderr(StringIO()) as told, workflows.played(), _in_small():
            history = _History(scenario, folder)
            played = history.play()
        if scenario.whole:
            history.judge.nothing_private(folder, told.getvalue(), TOKEN)
        return played
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _in_small() -> Iterator[None]:
    """For the length of a block nobody waits a moment for a lock, and a few commits make a checkpoint due.

    Here a whole command holds a lock, or nobody; and a history has some hundred pages.
    """
    real, locks._GLANCE_S = locks._GLANCE_S, 0.0
    pages, file_guard.CHECKPOINT_PAGES = file_guard.CHECKPOINT_PAGES, _CHECKPOINT_PAGES
    try:
        yield
    finally:
        locks._GLANCE_S, file_guard.CHECKPOINT_PAGES = real, pages


class _History:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        self.clock = WorldClock()
        self.played = Played(scenario)
        self.truth = scenario.truth(self.clock)
        self.api = Api(scenario, self.clock, self.truth, self.note, self.played.counted)
        self.host = Host(self.clock)
        self.ledger = folder / "ledger.db"
        self.tokens = {"MEETERGO_TOKEN": KEY if scenario.has("users") else TOKEN} | {
            f"TOKEN_{name}": f"{TOKEN}-{name}" for name in ACCOUNTS
        }
        self.environ = ChainMap(self.tokens, {"MEETERGO_API_URL": "https://api.world.test/v4"})
        write_accounts(folder / "accounts.toml", ACCOUNTS)
        self.judge = Judge(scenario, self.api, self.ledger, self.violated)
        self.ran: list[Ran] = []
        self.fleet = self._fleet() if scenario.has("workers") else None
        self._swap: Swap | None = None
        self._approved_at = 0.0  #: the plan of the next run, in true time
        about = (self.note, self.played.counted, self._goes_on_elsewhere)
        self.files = LedgerFiles(scenario, folder, self.ledger, *about)

    def _fleet(self) -> Fleet:
        """Return workers over a database; each has a machine of its own, for all its lives."""
        hosts: dict[str, Host] = {}

        def make(name: str, life: int) -> WorkerProcess:
            rng, own = self.scenario.chance.of("worker", name, life), self.scenario.chance.of("machine", name)
            if name not in hosts:
                wrong_s = own.choice((0.0, 0.0, -3600.0, 40.0, 86400.0))
                hosts[name] = Host(self.clock, booted_at=-own.uniform(100, 9000), wall_wrong_s=wrong_s)
            return WorkerProcess(_LIVES + life, hosts[name], self.api, self.environ, self.folder / name, rng, name=name)

        return Fleet(self.api, self.clock, self.ledger, make)

    @property
    def place(self) -> LedgerPlace:
        """The ledger, as the operator's machine reaches it."""
        if self.fleet is not None:
            return place_of(self.fleet.database, self.host)
        return LedgerFile(self.ledger, Marks(self.folder / "state" / "ledgers"))

    def note(self, *what: Any) -> None:
        self.played.story.append((round(self.clock.now, 6), *what))

    def violated(self, number: int, sentence: str) -> None:
        self.note("VIOLATED", number, sentence)
        self.played.violations.append(f"invariant {number}: {sentence}")

    def play(self) -> Played:
        self.ledger.write_bytes(new_ledger())
        self.ledger.chmod(0o600)
        send_colleagues(self.api, self.tokens)
        try:
            self._hostile_runs()
            if not self.played.violations:
                self._calm_runs()
        except StuckError as error:
            self.violated(13, f"the program is stuck: {error}.")
        except Exception:
            self.played.violations.append(f"The world itself fails: {traceback.format_exc()}")
        finally:
            if self.fleet is not None:
                self.fleet.end()
        self.played.runs, self.played.requests = len(self.ran), len(self.api.departures)
        self.played.known = self.judge.known()
        self.played.digest = hashlib.sha256(repr(self.played.story).encode()).hexdigest()
        return self.played

    # -- the operator -------------------------------------------------------------------------------------------------

    def _hostile_runs(self) -> None:
        rng = self.scenario.chance.of("operator")
        if self.scenario.theme == "stale":
            self.clock.advance(500)  # colleagues have been at work, and caches know nothing of it
        for _ in range(rng.choice((2, 3, 3, 4) if self.scenario.theme == "files" else (1, 1, 2, 2, 3))):
            number = len(self.ran) + 1
            own = self.scenario.chance.of("between", number)
            copies = self.files.mischief(
                own, len(self.ran), has_unseen=bool(self.ran) and self.ran[-1].killed and self._unseen() > 0
            )
            reconciles = self.scenario.has("reconcile") and own.random() < 0.3
            rows = self._edited(number)
            ran = self._run(rows, self.scenario.flags(number), reconciles=reconciles, approval=self._approval(rows))
            if self.played.violations:
                return
            if copies and ran.error is not None and ran.swapped_at is None:
                self._forget(ran)
                self.files.put_back(copies)
            if own.random() < 0.5:
                self._a_person_decides(ran)
            self._between(own)

    def _forget(self, ran: Ran) -> None:
        """Have the operator forget the ledger at once, and if that is too early, at the time that was named."""
        process = self._process(_FORGETS + ran.number)
        if forgotten(self.place, process.machine):
            self.judge.forgotten()
        elif named := re.search(r"wait until ([-\d]+ [:\d]+) ", ran.told):
            wait_s = (
                datetime.strptime(named[1], "%Y-%m-%d %H:%M").astimezone().timestamp() - process.machine.clock.now()
            )
            self.clock.advance(self.clock.now + max(0.0, wait_s))
            if not forgotten(self.place, self._process(_FORGETS + ran.number).machine):
                self.violated(13, f"at {named[1]} a lost ledger is not forgotten, as was said: {ran.told}")

    def _unseen(self) -> int:
        """Return how many events its mark has not seen: a run dies between the two. Below 0: it lacks events."""
        if not self.scenario.has("mischief") or not self.ledger.exists():
            return 0
        seen = (mark.seen.number for mark in self.place.marks.at(str(self.ledger)))
        return len(read_past(self.ledger).events) - max(seen, default=0)

    def _goes_on_elsewhere(self) -> None:
        """The ledger's file is carried to another machine, and is used there for appointments of its own."""
        marks, number = Marks(self.folder / "elsewhere" / "ledgers"), _ELSEWHERE + len(self.ran)
        if self._unseen() >= 0:
            return  # nothing was recorded since: it may go on anywhere
        calm = replace(self.scenario, without=frozenset(FEATURES), whole=False)
        api = Api(calm, self.clock, calm.truth(self.clock), lambda *_: None, calm=True)
        rng = self.scenario.chance.of("process", number)
        process = Process(number, Host(self.clock), api, self.environ, self.folder / "elsewhere", rng)
        ran = Ran(0, process, self._job({}, self.scenario.rows), self.scenario.rows, self.clock.now)
        with suppress(BulkCancelError):
            setup = replace(set_up(ran.job, _LOG, process.machine), place=LedgerFile(self.ledger, marks))
            given = GivenRows(ran.rows)
            caller = Caller(process.machine, _LOG, Shown(ran))
            with prepare(setup, caller.approve, lambda *_: given) as facts:
                assert isinstance(facts, RunFacts)
                ended(facts, carry(setup, facts, caller), setup)

    def _approval(self, rows: list[InputRow]) -> Approval | None:
        """Have a plan approved, and let hours pass."""
        rng = self.scenario.chance.of("plan", len(self.ran))
        if not self.scenario.has("plan") or self.scenario.whole:
            return None
        approval = approved_now(self.truth, rows, EPOCH + self.clock.now + self.host.wall_wrong_s, rng)
        self._approved_at = self.clock.now
        self.note("approved")
        self.played.counted["approved plan"] += 1
        self.clock.advance(self.clock.now + rng.choice((60, 60, 1800, 1800, 6 * 3600, 25 * 3600)))
        return approval

    def _between(self, rng: random.Random) -> None:
        """Let time pass until the operator comes again, and the machine have its own troubles."""
        later_s = rng.choice((0, 5, 30, 300, 620, 700, 7200, 6 * 3600))
        self.clock.advance(self.clock.now + comes_again_s(self.api, self.judge.settles_at(), later_s, len(self.ran)))
        if self.scenario.has("wider") and len(self.ran) == 1:
            hide_groups(self.api)
        if self.scenario.has("postponed"):
            postpone(self.api, len(self.ran))
        if self.scenario.has("reboot") and rng.random() < 0.5:
            self.note("machine", "reboot")
            self.played.counted["reboot"] += 1
            self.host.reboot()
        if self.scenario.has("clock") and rng.random() < 0.7:
            self.host.wall_wrong_s += rng.choice((-86400, -3600, -30, 30, 3600, 86400))
            self.note("machine", "wall clock set", self.host.wall_wrong_s)
            self.played.counted["clock set"] += 1

    def _calm_runs(self) -> None:
        self.note("calm")
        self.api.calm, self.host.wall_wrong_s = True, 0.0
        self.api.revoked.clear()
        if self.fleet is not None:
            self.fleet.start_anew()
        flags = {name: value for name, value in self.scenario.flags(1).items() if name not in _HINDRANCES}
        retried = False
        for number in range(MOST_CALM_RUNS):
            retry = {"retry_refused": True} if retried else {}
            ran = self._run(self.scenario.rows, flags | retry)
            if self.played.violations:
                return
            if ran.exit_code == Exit.CREDENTIAL and self._all_is_hidden():
                return  # which nobody but who gives the credential its rights can change
            is_decided = self._a_person_decides(ran)
            if ran.exit_code == Exit.REFUSED_ROWS and not retried:
                retried = True
                self.clock.advance(self.clock.now + SETTLE_S + 60)
            elif ran.exit_code in (Exit.OK, Exit.REFUSED_ROWS) and not is_decided:
                self.clock.advance(self.clock.now + 60)  # a series goes on in the background
                self.judge.finished(ran)
                if self.scenario.chance.of("once more").random() < 0.15:
                    self._once_more(flags)
                return
            else:
                if number > 4:
                    self._stop_the_other(ran)
                is_unsure = number > 4 and self.scenario.has("clock") and self.scenario.has("reboot")
                self.clock.advance(self.clock.now + SETTLE_S + (86400 if is_unsure else 60))
                if self.fleet is not None and "bulk-cancel reconcile" in ran.told:  # of what other inputs named
                    self._a_person_decides(self._run(self.scenario.rows, flags, reconciles=True))
        self.violated(13, f"not finished after {MOST_CALM_RUNS} runs without trouble: {ran.told}")

    def _all_is_hidden(self) -> bool:
        """Whether colleagues have hidden all that is left to be cancelled, which looks like a lack of rights."""
        past = read_past(self.ledger)
        left = [past.targets[number] for number, state in past.states.items() if state in SENDABLE]
        return bool(left) and all(self.truth.meetings[it.appointment_id].hidden_at is not None for it in left)

    def _stop_the_other(self, ran: Ran) -> None:
        """Stop the run that workers are busy with, as the sentence says: its send window may open tomorrow only."""
        found = re.search(r"(\S+) has not ended\..* bulk-cancel cluster stop", ran.told)
        if found and self.fleet is not None:
            self.fleet.stop(found[1])

    def _once_more(self, flags: dict[str, Any]) -> None:
        """A run after a complete one sends nothing and ends alike. To take refusals up again would be another order.

        What was skipped may be due by now: then it is sent, or refused.
        """
        before, last, skipped = len(self.api.departures), self.ran[-1], self.judge.skipped()
        flags = {name: flags[name] for name in flags if name != "retry_refused"}
        ran = self._run(self.scenario.rows, flags)
        if self.fleet is not None and "has not ended" in ran.told:  # the complete one was beside a run of workers
            ran = self._run(self.scenario.rows, flags)
        due = self.judge.due(skipped, last.began_at, ran)
        if any(one.kind == "post" and one.target not in due for one in self.api.departures[before:]):
            self.violated(7, "a run after a complete one sent a cancel.")
        right = Exit.REFUSED_ROWS if self.judge.refused_one(skipped, due, ran) else last.exit_code
        if ran.exit_code != right and not self.scenario.has("after_effects"):  # which are told once
            self.violated(7, f"a run after a complete one ends with {ran.exit_code}, not {right}: {ran.told}")

    def _a_person_decides(self, ran: Ran) -> bool:
        """Resolve, as the run's last sentence asks, what no read can settle; whether there was anything."""
        is_asked = "bulk-cancel resolve" in ran.told
        often = 0.9 if self.scenario.has("impatient") else 0.2
        if not is_asked and (self.api.calm or self.scenario.chance.of("impatient", len(self.ran)).random() > often):
            return False
        if self.api.calm or (is_asked and self.scenario.chance.of("decides early", len(self.ran)).random() < 0.6):
            self.clock.advance(self.clock.now + SETTLE_S)
        for decided, target in enumerate(self.judge.unknown_targets()):
            decision = Decision(is_gone(self.api, target), "Ada", "looked")
            self.note("resolved", target.appointment_id, decision.cancelled)
            process = self._process(1000 * len(self.ran) + decided)
            try:
                resolve(self.place, process.machine, target_name(target), decision, SETTLE_S)
                self.judge.decided(target, cancelled=decision.cancelled, settle_s=SETTLE_S)
            except BulkCancelError as error:  # a no may come too early
                if isinstance(error, UsageError) and decision.cancelled and self.fleet is None:
                    self.violated(13, f"what a person has seen cannot be recorded: {error}")
        return True

    def _edited(self, number: int) -> list[InputRow]:
        """Return the rows of a run's input: all, or all but some that come later."""
        rng = self.scenario.chance.of("edit", number)
        if self.scenario.whole and number > 1 and self.scenario.chance.of("no rows", number).random() < 0.2:
            return []
        if self.scenario.has("wider") and number == 1:
            return numbered(widened(self.scenario.rows, self.truth))
        if not self.scenario.has("edits"):
            return self.scenario.rows
        corrects = rng.random() < 0.5
        kept = [row for row in self.scenario.rows if rng.random() < 0.8] or self.scenario.rows
        groups = {one.appointment_id for one in self.truth.meetings.values() if one.is_group} if corrects else set()
        if corrects and self.scenario.has("users"):
            hosts = {one.appointment_id: one.hosts[0] for one in self.truth.meetings.values()}
            kept = [row._replace(user_id=hosts.get(row.appointment_id or "", row.user_id)) for row in kept]
        asks_for_all = [row.appointment_id in groups and row.attendee_id is None for row in kept]
        return numbered(row._replace(cancel_all=all_) for row, all_ in zip(kept, asks_for_all, strict=True))

    # -- one run ------------------------------------------------------------------------------------------------------

    def _process(self, number: int) -> Process:
        rng = self.scenario.chance.of("process", number)
        process = Process(number, self.host, self.api, self.environ, self.folder / "state", rng)
        process.meanwhile = self._meanwhile
        process.order_of = self.fleet.order if self.fleet is not None else process.order_of
        return process

    def _run(
        self, rows: list[InputRow], flags: dict[str, Any], *, reconciles: bool = False, approval: Approval | None = None
    ) -> Ran:
        number = len(self.ran) + 1
        process = self._process(number)
        job = self._job(flags, rows)
        self.note(
            "run",
            number,
            "reconcile" if reconciles else "run",
            sorted(f"{name}={value}" for name, value in flags.items()),
        )
        ran = Ran(number, process, job, rows, self.clock.now, reconciles=reconciles, approval=approval)
        ran.approved_at = self._approved_at
        self.ran.append(ran)
        try:
            with self._setup(process, job) as setup:
                ran.summary = self._carried(setup, process, ran)
        except BulkCancelError as error:
            ran.error = error
        except Killed:
            ran.killed = True
        except StuckError:
            raise
        except Exception as error:
            ran.bug = "".join(traceback.format_exception(error)[-6:])
        self.note("ended", number, ran.exit_code, ran.told.replace(str(self.folder), ""))
        if self.fleet is not None:
            self._workers_go_on(self.fleet, ran)
        if self._swap is not None:
            swap, self._swap = self._swap, None
            if not self.files.end_swap(swap) and not ran.killed:  # a killed process closes nothing; this one does
                self.violated(3, "a file that took the ledger's place was written to.")
        self.judge.after(ran)
        return ran

    def _meanwhile(self, what: str) -> None:
        ran = self.ran[-1]
        rng = self.scenario.chance.of(what, ran.number)
        if what == "second":
            self._second(rng)
        elif self.fleet is None and self._swap is None and self.ledger.exists():
            how = {} if what == "swapped" else {"how": ANOTHER}
            self._swap, ran.swapped_at = self.files.swap(rng, f"swapped-{ran.number}", **how), self.clock.now

    def _second(self, rng: random.Random) -> None:
        """Another operator types a command while this one is at work: it has to be refused, and nothing sent."""
        first, before = self.ran[-1], len(self.api.departures)
        process = self._process(_SECOND + first.number)
        process.meanwhile = lambda _: None
        reconciles, is_copy = rng.random() < 0.3, rng.random() < 0.3 and self.fleet is None
        job = self._job(self.scenario.flags(first.number), first.rows)
        if is_copy:
            for file in self.folder.glob("ledger.db*"):
                shutil.copy2(file, self.folder / f"copy-{file.name}")
            job = job.model_copy(update={"ledger": str(self.folder / "copy-ledger.db")})
        self.note("machine", "a second command, on a copy" if is_copy else "a second command")
        self.played.counted["second command"] += 1
        ran = Ran(first.number, process, job, first.rows, self.clock.now, reconciles=reconciles)
        try:
            setup = set_up(job, _LOG, process.machine)
            self._carried(setup if self.fleet is None else replace(setup, place=self.place), process, ran)
            self.violated(2, "a second command was not refused while one was at work.")
        except BulkCancelError as error:
            self.note("machine", "refused", error.exit_code)
        if len(self.api.departures) > before:
            self.violated(2, "a second command sent something while one was at work.")

    def _job(self, flags: dict[str, Any], rows: list[InputRow]) -> Job:
        source = self.folder / "input.csv"
        if self.scenario.whole:
            write_rows(source, rows)
            flags = flags | {"missing_input": "ok"}
        limits = {"rate": self.scenario.rate, "burst": self.scenario.burst}
        accounts = self.folder / "accounts.toml" if self.scenario.has("accounts") else None
        own = {"accounts": accounts, "input": str(source), "ledger": str(self.ledger), "out": self.folder / "out"}
        if self.scenario.has("users"):
            own["user_id"] = HOST
        if self.fleet is not None:
            rng = self.scenario.chance.of("engine", len(self.ran))
            by_workers = (
                {"engine": "dbos", "canary": 0, "chunk": rng.choice((2, 4, 250))} if rng.random() < 0.85 else {}
            )
            own, flags = own | {"ledger": URL}, flags | by_workers
        return any_job().model_copy(update=own | limits | flags)

    @contextmanager
    def _setup(self, process: Process, job: Job) -> Iterator[Setup]:
        yield replace(set_up(job, _LOG, process.machine), place=self.place)

    def _carried(self, setup: Setup, process: Process, ran: Ran) -> Summary:
        caller = Caller(process.machine, _LOG, Shown(ran))
        if ran.reconciles:
            with prepare_reconcile(setup) as facts:
                contexts = contexts_of(setup, facts)
                end = setup.machine.run_loop(execute_attended, contexts, Runner.reconcile_only, caller, 30.0)
                return ended(facts, end, setup)
        if self.scenario.whole:
            return run_in(setup, caller)
        given = GivenRows(ran.rows, approval=ran.approval)
        with prepare(setup, caller.approve, lambda *_: given) as facts:
            assert isinstance(facts, RunFacts)
            if setup.job.engine == "dbos":
                return self._by_workers(Dispatch(setup, caller, facts))
            return ended(facts, carry(setup, facts, caller), setup)

    def _by_workers(self, what: Dispatch) -> Summary:
        """Hand a staged run out and let the workers work, as `dispatch` does, without the files for people."""
        assert self.fleet is not None
        fleet, machine, run_id = self.fleet, what.setup.machine, what.facts.run_id
        try:
            queue = Queue(fleet.workflows)  # type: ignore[arg-type]
            hand_out(cast(SharedLedger, what.facts.ledger), queue, what)
            has_ended = fleet.watch(run_id, what.setup.job, 24 * 3600.0 if self.api.calm else 4 * 3600.0)
            with self.place.reading() as found:
                ledger = cast(SharedLedger, found)
                (run,) = ledger.runs(run_id)
                facts = facts_of(ledger, run, None, machine.clock)
                summary = summary_of(facts, run, ledger.chunks(run.run_no))
        except (LedgerUnreachableError, SQLAlchemyError) as error:
            raise LedgerLostError(str(error), advice="Workers go on.") from error
        return summary if has_ended else replace(summary, exit_code=Exit.STOPPED, next="The workers go on.")

    def _workers_go_on(self, fleet: Fleet, ran: Ran) -> None:
        """What is not at its end goes on while the operator does nothing; the judge looks at all of it."""
        if ran.error is not None:
            fleet.idle(ran.job, SETTLE_S + 60)
        ran.process.commits.extend(fleet.commits)
        ran.bug = ran.bug or "; ".join(fleet.bugs)
        for sentence in fleet.rules.broken_in(ran, self.api.departures):
            self.violated(13, sentence)
        fleet.commits.clear()
