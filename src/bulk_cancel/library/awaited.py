"""The asynchronous forms of the library's calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.library.calls import plan, reconcile, run
from bulk_cancel.library.results import Approve, PlanResult
from bulk_cancel.ops.stop_request import Stop
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import Job

T = TypeVar("T")


async def run_async(
    job: Job,
    *,
    approve: Approve | None = None,
    environ: Mapping[str, str] | None = None,
    log: FilteringBoundLogger | None = None,
) -> Summary:
    """As `run`, in a thread of its own, under asyncio or trio. `approve` is called in that thread.

    When cancelled, the run drains and the call ends after it: no cancel is left in flight, and the ledger is closed.
    """
    stop = Stop()
    return await _in_thread(partial(run, job, approve=approve, environ=environ, log=log, stop=stop), stop)


async def plan_async(
    job: Job, *, environ: Mapping[str, str] | None = None, log: FilteringBoundLogger | None = None
) -> PlanResult:
    """As `plan`, in a thread of its own. When cancelled, the call ends once the plan has, which sends nothing."""
    return await _in_thread(partial(plan, job, environ=environ, log=log), Stop())


async def reconcile_async(
    job: Job, *, environ: Mapping[str, str] | None = None, log: FilteringBoundLogger | None = None
) -> Summary:
    """As `reconcile`, in a thread of its own, as `run_async`."""
    stop = Stop()
    return await _in_thread(partial(reconcile, job, environ=environ, log=log, stop=stop), stop)


async def _in_thread(call: Callable[[], T], stop: Stop) -> T:
    """Wait for the call to end, even when cancelled repeatedly: asyncio's own cancellation ignores shields."""
    outcome: Future[T] = Future()
    ended = anyio.Event()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    async def host() -> None:
        await anyio.to_thread.run_sync(work)
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(host)
        try:
            await ended.wait()
        finally:
            stop.request()
    return outcome.result()
