"""The Python API against the sandbox, as a program uses it; the examples of the documentation run as they stand."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
import uvloop

import bulk_cancel
from bulk_cancel import (
    BulkCancelError,
    DeclinedError,
    Exit,
    Job,
    PlanResult,
    Requests,
    Status,
    Stop,
    Summary,
    load_job,
    plan_async,
    reconcile,
    reconcile_async,
    run,
    run_async,
)
from bulk_cancel import plan as make_plan
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.rate_limits import remembered
from bulk_cancel.commands.doctor.examine import examine
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.credential import Credential
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.errors import ConfigError
from bulk_cancel.ledger.port import PaceUpdate, RunStart
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions, running
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.patience import impatient as impatient

ROOT = Path(__file__).resolve().parents[3]
COUNT = 12
KEY = Credential(OWNER_TOKEN).fingerprint


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with running(SandboxOptions(rate_per_s=10_000, burst=10_000)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox, and a folder with `closure.csv` that names all its appointments."""
    world = World.of([Wanted() for _ in range(COUNT)], seed=5)
    server.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    (tmp_path / "closure.csv").write_text("id\n" + "\n".join(world.appointments) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MEETERGO_API_URL", server.url)
    monkeypatch.setenv("MEETERGO_TOKEN", OWNER_TOKEN)
    return server


def job(**flags: Any) -> Job:
    return load_job("closure.csv", {"rate": "500/s", "burst": 500, "settle": "1s", "timeout": "2s", **flags})


def test_a_reconcile_that_is_stopped_at_once_does_not_say_done(sandbox: Sandbox) -> None:
    world = World.of([Wanted() for _ in range(COUNT)], seed=5)
    faults = f"lost@{next(iter(world.appointments))}"
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, faults=faults))
    assert run(job(yes=True, settle="1h")).exit_code == Exit.UNKNOWN
    stop = Stop()
    stop.request()
    ended = reconcile(job(settle="1h"), stop=stop)
    assert ended.exit_code == Exit.UNKNOWN
    assert "Done" not in ended.next


def test_a_pause_of_hours_that_an_earlier_run_was_asked_for_still_holds(sandbox: Sandbox) -> None:
    clock = system_clock()
    away = PaceRecord(clock.now() + 7200, clock.monotonic() + 7200, clock.base.boot_id)
    ledger = SqliteLedger.open(Path("l.db"))
    ledger.append(ledger.begin_run(RunStart("r", clock.now(), clock.base)), [], PaceUpdate(KEY, away))
    ledger.close()
    ended = run(job(yes=True, ledger="l.db"))
    assert ended.exit_code == Exit.STOPPED
    assert "asks to wait 1 h 59 min" in ended.next or "asks to wait 2 h" in ended.next
    assert not sandbox.truth().requests
    checks = {check.name: check for check in examine("", {"ledger": "l.db"}, Machine(os.environ))}
    assert checks["API"].exit_code is Exit.STOPPED
    assert "asks to wait" in checks["API"].found
    assert not sandbox.truth().requests


def test_the_used_part_of_a_limit_counts_for_another_ledger_on_this_machine(sandbox: Sandbox) -> None:
    """A worker's, too: its ledger is another one."""
    assert run(job(ledger="one.db", rate="1/s", burst=100, yes=True)).exit_code == Exit.OK
    pace = remembered(Machine({}), KEY)
    assert pace is not None
    assert pace.tat_at - time.time() > COUNT - 2


def two_accounts(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *, are_lost: bool = False) -> None:
    """Write an input with a series of each of two accounts; `are_lost`: the answers to their first cancels are."""
    world = World.of([Wanted(Kind.SERIES)] * 2, seed=5)
    first, second = world.appointments
    faults = f"lost@{first},lost@{second}" if are_lost else ""
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, any_personal_token=True, faults=faults))
    for name in ("rome", "wien"):
        monkeypatch.setenv(name.upper(), f"rgo-{name}")
    Path("accounts.toml").write_text('[accounts.rome]\ntoken_env = "ROME"\n[accounts.wien]\ntoken_env = "WIEN"\n')
    Path("closure.csv").write_text(
        f"id,account,cancel_entire_series\n{first},rome,true\n{second},wien,true\n", encoding="utf-8"
    )


@pytest.mark.process
@pytest.mark.usefixtures("impatient")
def test_with_wait_a_series_that_waits_for_another_accounts_is_sent_afterwards(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_accounts(sandbox, monkeypatch, are_lost=True)
    ended = run(job(yes=True, accounts="accounts.toml", wait=True, settle="1s"))
    assert ended.counts[Status.PENDING] == 0


def test_a_series_waits_until_the_canary_of_another_account_is_verified(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent in the same run: that canary is a series, and its account is not done before it is verified."""
    two_accounts(sandbox, monkeypatch)
    ended = run(job(yes=True, accounts="accounts.toml", canary=1, look="each"))
    assert ended.counts[Status.PENDING] == 0


def test_every_name_is_there_and_nothing_else() -> None:
    assert {name: getattr(bulk_cancel, name) for name in bulk_cancel.__all__}
    assert set(bulk_cancel.__all__) <= set(dir(bulk_cancel))
    with pytest.raises(AttributeError, match="no attribute 'cancel_everything'"):
        bulk_cancel.cancel_everything  # noqa: B018


def test_every_name_and_field_is_described() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    fields = [field.name for kind in (PlanResult, Summary, Requests) for field in dataclasses.fields(kind)]
    missing = [name for name in (*bulk_cancel.__all__, *fields) if not re.search(rf"`{name}\b", page)]
    assert missing == ["schema_version"]


@pytest.mark.process
def test_importing_does_nothing() -> None:
    code = "import sys; before = set(sys.modules); import bulk_cancel; print(sorted(set(sys.modules) - before))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = [name for name in eval(result.stdout) if name.startswith("bulk_cancel")]
    assert ours == ["bulk_cancel"]
    code = "import sys; from bulk_cancel import BulkCancelError, Exit; print(sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"httpx", "polars", "apsw", "anyio", "pydantic"} & set(eval(result.stdout))


@pytest.mark.parametrize("number", [0, 1])
def test_the_example_runs(number: int, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    examples = re.findall(r"<!-- example:.*?-->\n```python\n(.*?)\n```", page, re.DOTALL)
    assert len(examples) == 2
    exec(compile(examples[number], "docs/python.md", "exec"), {"__name__": "example"})
    assert len(sandbox.truth().applied) == COUNT
    assert str(COUNT) in capsys.readouterr().out


def test_a_plan_sends_nothing_and_is_frozen(sandbox: Sandbox) -> None:
    Path("closure.csv").write_text(Path("closure.csv").read_text() + "nonsense\n")
    planned = make_plan(job(reason="Closed"))
    assert (planned.rows, planned.targets, planned.cancels, planned.may_send) == (COUNT + 1, COUNT, COUNT, COUNT)
    assert (planned.first[0].row, planned.first[0].reason) == (2, "Closed")
    assert planned.invalid[0].appointment_id is None
    assert planned.exit_code is Exit.REFUSED_ROWS
    assert not sandbox.truth().applied
    assert sum(planned.actions.values()) == planned.rows
    with pytest.raises(dataclasses.FrozenInstanceError):
        planned.rows = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        planned.actions[planned.first[0].action] = 0  # type: ignore[index]


def test_a_live_plan_tells_numbers_and_no_names(sandbox: Sandbox) -> None:
    planned = make_plan(job(skip_past=False))
    assert planned.seen is not None
    assert planned.seen.mailed > 0
    assert "@" not in repr(planned)


def test_two_runs_one_after_the_other(sandbox: Sandbox) -> None:
    first, second = run(job(yes=True)), run(job(yes=True))
    assert (first.exit_code, first.counts[Status.CANCELLED], first.requests.posts) == (Exit.OK, COUNT, COUNT)
    assert (second.exit_code, second.counts[Status.CANCELLED], second.requests.posts) == (Exit.OK, COUNT, 0)
    assert not sandbox.truth().doubled
    written = json.loads((Path(first.out or "") / "summary.json").read_text())
    assert written["counts"] == {status.value: count for status, count in first.counts.items()}
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.rows = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        first.counts[Status.CANCELLED] = 0  # type: ignore[index]
    assert reconcile(job()).requests.posts == 0


def test_the_environment_is_what_is_given(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"MEETERGO_API_URL": sandbox.url, "MEETERGO_TOKEN": OWNER_TOKEN}
    monkeypatch.delenv("MEETERGO_TOKEN")
    with pytest.raises(BulkCancelError, match="no credential") as refused:
        run(job(yes=True))
    assert refused.value.exit_code is Exit.CONFIG
    assert refused.value.advice
    assert run(job(yes=True), environ=given).exit_code == Exit.OK


@pytest.mark.parametrize(
    ("flags", "options", "complaint", "code"),
    [
        ({}, {"approve": lambda _: False}, "Nothing was sent", Exit.STOPPED),
        ({"yes": True}, {"approve": lambda _: False}, "Nothing was sent", Exit.STOPPED),
        ({}, {}, "Nothing approves", Exit.USAGE),
        ({"yes": True, "dry_run": True}, {}, "planned only", Exit.USAGE),
        ({"yes": True, "max_cancel": 3}, {}, "more than", Exit.STOPPED),
    ],
)
def test_without_approval_nothing_is_sent(
    sandbox: Sandbox, flags: dict[str, Any], options: dict[str, Any], complaint: str, code: Exit
) -> None:
    with pytest.raises(BulkCancelError, match=complaint) as refused:
        run(job(**flags), **options)
    assert refused.value.exit_code is code
    assert not sandbox.truth().applied
    assert not Path("runs").exists()


def test_approve_gets_the_plan_of_the_run(sandbox: Sandbox) -> None:
    plans: list[PlanResult] = []
    run(job(), approve=lambda planned: not plans.append(planned))  # type: ignore[func-returns-value]
    assert [planned.cancels for planned in plans] == [COUNT]


def test_in_a_thread_and_signals_stay_as_they_were(sandbox: Sandbox) -> None:
    def mine(*_: object) -> None: ...

    before, interrupt = signal.signal(signal.SIGTERM, mine), signal.getsignal(signal.SIGINT)
    try:
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(run, job(yes=True)).result().counts[Status.CANCELLED] == COUNT
        assert run(job(yes=True)).requests.posts == 0
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_second_run_at_the_same_time_is_refused(sandbox: Sandbox) -> None:
    refused: list[Exit] = []

    def approve(_: PlanResult) -> bool:
        with ThreadPoolExecutor(1) as threads, pytest.raises(BulkCancelError) as caught:
            threads.submit(run, job(yes=True)).result()
        refused.append(caught.value.exit_code)
        return True

    assert run(job(), approve=approve).exit_code == Exit.OK
    assert refused == [Exit.LOCKED]


def test_a_stop_before_the_run_began_sends_nothing(sandbox: Sandbox) -> None:
    stop = Stop()
    with pytest.raises(DeclinedError):
        run(job(), approve=lambda _: not stop.request(), stop=stop)  # type: ignore[func-returns-value]
    assert not sandbox.truth().applied


def when_answered(count: int, then: Callable[[], object]) -> Any:
    """Return a log that calls `then`, in the run's thread, as soon as so many cancels were answered."""
    left = iter(range(count - 1, -1, -1))

    def listen(_: Any, __: str, event: MutableMapping[str, Any]) -> Any:
        if event["event"] == "attempt.answered" and next(left, None) == 0:
            then()
        raise structlog.DropEvent

    return structlog.wrap_logger(None, processors=[listen], wrapper_class=structlog.make_filtering_bound_logger(0))


def test_a_requested_stop_drains_a_run(sandbox: Sandbox) -> None:
    stop = Stop()
    slow = job(yes=True, rate="3/s", burst=4, concurrency=1)  # after the burst there is plenty of time
    summary = run(slow, stop=stop, log=when_answered(2, stop.request))
    assert summary.exit_code == Exit.STOPPED
    assert "the program that began it" in summary.next
    assert summary.counts[Status.UNKNOWN] == 0
    assert summary.counts[Status.CANCELLED] == len(sandbox.truth().applied) < COUNT
    assert run(job(yes=True)).counts[Status.CANCELLED] == COUNT
    assert not sandbox.truth().doubled


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_awaited_forms_do_the_same(backend: str, sandbox: Sandbox) -> None:
    async def one_after_the_other() -> tuple[PlanResult, Summary, Summary]:
        return await plan_async(job()), await run_async(job(yes=True)), await reconcile_async(job())

    planned, summary, settled = anyio.run(one_after_the_other, backend=backend)
    assert (planned.rows, summary.counts[Status.CANCELLED], settled.rows) == (COUNT, COUNT, 0)


def test_an_error_comes_as_it_is(sandbox: Sandbox) -> None:
    with pytest.raises(BulkCancelError, match="Nothing approves"):
        anyio.run(run_async, job())


def test_a_thread_with_an_event_loop_is_told_what_to_await(sandbox: Sandbox) -> None:
    async def wrong() -> None:
        run(job(yes=True))

    with pytest.raises(BulkCancelError, match="event loop") as refused:
        anyio.run(wrong)
    assert "run_async" in refused.value.advice
    assert not Path("runs").exists()


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_wait_drains_and_ends_after_the_run(times: int, sandbox: Sandbox) -> None:
    async def cancelled() -> None:
        answered, loop = asyncio.Event(), asyncio.get_running_loop()
        log = when_answered(2, partial(loop.call_soon_threadsafe, answered.set))
        task = asyncio.create_task(run_async(job(yes=True, rate="3/s", burst=4, concurrency=1), log=log))
        await answered.wait()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    (written,) = Path("runs").glob("*/summary.json")
    assert json.loads(written.read_text())["exit_code"] == Exit.STOPPED
    assert json.loads(written.read_text())["counts"]["cancelled"] == len(sandbox.truth().applied) < COUNT


def test_a_log_file_is_closed_after_the_run(sandbox: Sandbox) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        run(job(yes=True, log_file="full.log"))
        gc.collect()
    assert [warning for warning in caught if "full.log" in str(warning.message)] == []
    assert "run.ended" in Path("full.log").read_text()


def test_a_run_works_under_a_uvloop_policy_and_leaves_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.14 on policies are going out of use
        before = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        summary = run(job(yes=True))
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.set_event_loop_policy(before)
    assert summary.counts[Status.CANCELLED] == COUNT


def test_a_user_without_a_home_names_the_ledger_and_the_folder_of_the_results(
    sandbox: Sandbox, homeless: None, tmp_path: Path
) -> None:
    summary = run(job(yes=True, ledger="kept/ledger.db", out="results"))
    assert summary.exit_code is Exit.OK
    assert (tmp_path / "results" / "report.html").exists()
    locks = [*(tmp_path / "kept" / "ledger.db.state" / "locks").glob("credential-*.lock")]
    assert len(locks) == 1
    assert run(job(yes=True, ledger="kept/ledger.db", out="again")).requests.posts == 0


def test_a_user_without_a_home_is_told_to_name_the_ledger(sandbox: Sandbox, homeless: None) -> None:
    with pytest.raises(ConfigError, match="no home folder") as refused:
        run(job(yes=True))
    assert "--ledger FILE" in refused.value.advice
    assert sandbox.truth().applied == {}


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user of a container: a number without an entry in passwd, and nobody set HOME."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_entry(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
