"""The queue of chunks in DBOS: names, versions, and the calls from outside of a workflow.

A partition of the queue is an account, and one chunk of a partition is worked on at a time. The queue holds only ids of
runs and numbers of chunks, as JSON: no settings, no tokens, and no pickles, which would let anybody with write access
to the database run code in the workers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus
from dbos._serialization import DefaultSerializer
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from bulk_cancel.errors import LedgerError, LedgerUnreachableError
from bulk_cancel.ledger.postgres import place_of
from bulk_cancel.ledger.shared import ChunkRecord

APPLICATION = "bulk-cancel"
#: Workers take only chunks of their version, which is that of the workflows, not of the program.
VERSION = "bulk-cancel-1"
SCHEMA = "bulk_cancel_dbos"
CHUNKS = "bulk-cancel-chunks"
CARRY_CHUNK, RESCUE = "carry_chunk", "rescue"
#: DBOS needs a partition key that is not empty; no account's name contains a star.
OWN_ACCOUNT = "*"
#: All series of all accounts go one after the other.
SERIES = "*series"
#: Seconds for which a finished workflow is kept, a week: DBOS itself never deletes one.
KEPT_S = 7 * 86400.0


def migrate(url: str) -> None:
    """Make or update the tables of DBOS. Needs the right to create a schema."""
    quiet()
    with _told(url):
        DBOS.migrate(_sqlalchemy(url), schema=SCHEMA)


def configuration(url: str, executor_id: str) -> DBOSConfig:
    """Return the settings of a worker."""
    refuse_pickles()
    return {
        "name": APPLICATION,
        "system_database_url": _sqlalchemy(url),
        "dbos_system_schema": SCHEMA,
        "executor_id": executor_id,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "WARNING",
        "scheduler_polling_interval_sec": 5.0,
    }


def refuse_pickles() -> None:
    """Prevent DBOS from reading any row of the queue as a pickle.

    Each row says how it was serialized, and DBOS reads it that way. So our own serializer alone would not stop somebody
    with write access to the queue's tables from running code in the workers.
    """
    DefaultSerializer.deserialize = _refuse  # type: ignore[assignment,method-assign]


def _refuse(_: DefaultSerializer, __: str) -> NoReturn:
    raise PermissionError("A row of the queue claims to be a pickle. It was not read.")


def quiet() -> None:
    """Silence the log of DBOS below warnings."""
    logging.getLogger("dbos").setLevel(logging.WARNING)


@contextmanager
def _told(url: str, errors: tuple[type[Exception], ...] = (SQLAlchemyError, ValueError, OSError)) -> Iterator[None]:
    """Translate errors of the queue's libraries into ours, without any secret."""
    try:
        yield
    except errors as error:
        away = isinstance(error, OperationalError | OSError)
        raise (LedgerUnreachableError if away else LedgerError)(
            f"The queue of workers in {place_of(url)} cannot be used ({type(error).__name__}).",
            advice="Is the server there, and may this user use the schema bulk_cancel_dbos? See docs/cluster.md. "
            "Several hosts are written postgresql:///database?host=one,two&port=5432,5432",
        ) from error


def _sqlalchemy(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


def workflow_id(run_id: str, chunk_no: int, why: str = "") -> str:
    """Return the name of the work on a chunk, the same each time; `why` names a repetition."""
    return f"{run_id}/{chunk_no}" + (f"/{why}" if why else "")


def partition_of(account: str, *, series: bool) -> str:
    """Return the partition, whose chunks are worked on one after the other."""
    return SERIES if series else account or OWN_ACCOUNT


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Queue:
    """The calls to the queue. All are synchronous and use the database, whose clock its times are by."""

    client: DBOSClient

    def enqueue(self, run_id: str, chunk: ChunkRecord, *, why: str = "", delay_s: float = 0.0) -> None:
        """Enqueue a chunk, to be worked on after `delay_s` seconds."""
        options: EnqueueOptions = {
            "workflow_name": CARRY_CHUNK,
            "queue_name": CHUNKS,
            "workflow_id": workflow_id(run_id, chunk.chunk.chunk_no, why),
            "app_version": VERSION,
            "queue_partition_key": partition_of(chunk.account, series=chunk.series),
        }
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        self.client.enqueue(options, run_id, chunk.chunk.chunk_no)

    def enqueue_all(self, run_id: str, chunks: Iterable[ChunkRecord]) -> None:
        """Enqueue chunks, which are worked on in this order within each partition."""
        for chunk in chunks:
            self.enqueue(run_id, chunk)

    def status(self, workflow: str) -> str | None:
        """Return the status of a workflow; None when there is no such workflow."""
        found = self.client.list_workflows(workflow_ids=[workflow], load_input=False, load_output=False)
        return found[0].status if found else None

    def stuck(self, longer_than_s: float, now: float) -> list[WorkflowStatus]:
        """Return the workflows of chunks that were claimed longer ago and have not ended."""
        return self.client.list_workflows(
            status="PENDING",
            name=CARRY_CHUNK,
            queues_only=True,
            dequeued_before=_moment(now - longer_than_s),
            load_input=False,
            load_output=False,
        )

    def failed(self, prefix: str) -> list[str]:
        """Return the names, with this prefix, of workflows that ended without a result."""
        found = self.client.list_workflows(
            status=["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
            name=CARRY_CHUNK,
            workflow_id_prefix=prefix,
            load_input=False,
            load_output=False,
        )
        return [workflow.workflow_id for workflow in found]

    def resume(self, workflow: str) -> None:
        """Give a workflow back to the queue. A worker that still executes it cannot end it any more."""
        self.client.resume_workflow(workflow, queue_name=CHUNKS)

    def forget_old(self, now: float) -> None:
        """Delete workflows that ended longer ago than `KEPT_S`."""
        old = self.client.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            end_time=_moment(now - KEPT_S),
            limit=1000,
            load_input=False,
            load_output=False,
        )
        if old:
            self.client.delete_workflows([workflow.workflow_id for workflow in old])


@contextmanager
def opened(url: str) -> Iterator[Queue]:
    """Open the queue from outside of a worker. Its tables have to exist."""
    quiet()
    refuse_pickles()
    with _told(url):
        client = DBOSClient(
            system_database_url=_sqlalchemy(url),
            dbos_system_schema=SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
        )
    try:
        with _told(url, (SQLAlchemyError,)):
            yield Queue(client)
    finally:
        client.destroy()
