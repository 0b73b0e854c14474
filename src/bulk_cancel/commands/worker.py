"""`worker`: take chunks from the queue and carry them out until a signal comes."""

from __future__ import annotations

import os
import socket

from bulk_cancel.access.ledgers import refuse_other_api
from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.cluster.chunk import WorkerSetup
from bulk_cancel.commands.cluster import database_of
from bulk_cancel.core.units import show_duration
from bulk_cancel.errors import ConfigError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.ops.descriptors import fewer_at_a_time
from bulk_cancel.settings.accounts import OWN
from bulk_cancel.settings.job import Job


def work_on_chunks(job: Job, caller: Caller, executor_id: str | None, silence_s: float, at_once: int) -> None:
    """Work on chunks, `at_once` at a time. A chunk whose worker is silent for `silence_s` seconds is taken over.

    Raises UsageError for a ledger that cannot be shared, ConfigError for a missing credential or a silence that is
    shorter than an exchange may take, LedgerError.
    """
    setup = set_up(job, caller.log, caller.machine)
    place = database_of(setup.place)
    if not setup.accounts.given:
        setup.accounts.find(OWN)  # a worker without any credential could only fail
    if silence_s <= job.timeout:
        raise ConfigError(
            "A worker that waits for an answer must not be considered dead.",
            advice=f"Let --silence be longer than one exchange may take, {show_duration(job.timeout)}.",
        )
    from bulk_cancel.cluster.worker import owner_name, work

    slot = executor_id or f"{socket.gethostname()}-{os.getpid()}"
    with place.together() as ledger:
        refuse_other_api(ledger, setup.api_url)
    worker, at_once = WorkerSetup(setup, owner_name(slot), silence_s), _fitting(setup, at_once)
    setup.machine.run_loop(work, place, worker, slot, at_once)


def _fitting(setup: Setup, at_once: int) -> int:
    """Return the number of accounts for which this machine can open the connections."""
    room = setup.machine.room_for_connections()
    fitting = max(1, min(at_once, room // setup.job.concurrency))
    if fitting < at_once:
        told = fewer_at_a_time(fitting, "account", at_once)
        setup.log.warning("worker.fewer_at_a_time", told=told)
    return fitting
