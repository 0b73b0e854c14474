"""`worker` and `cluster …`: many machines, one ledger in PostgreSQL."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any, cast

import anyio

from bulk_cancel.access.ledgers import LedgerDatabase, refuse_other_api
from bulk_cancel.access.setup import set_up
from bulk_cancel.cli.run import caller_of
from bulk_cancel.cli.stdout import errors_told, place_of, put_document
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.cluster.chunk import WorkerSetup, stop_key
from bulk_cancel.core.text import clean
from bulk_cancel.core.units import parse_duration, show_duration
from bulk_cancel.errors import ConfigError, UsageError
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.shared import ChunkRecord, SharedLedger
from bulk_cancel.settings.accounts import OWN
from bulk_cancel.settings.job import load_job

#: At most this number of the newest runs is shown.
_RUNS = 5


def worker_command(flags: Mapping[str, Any], executor_id: str | None, silence: str, at_once: int) -> None:
    """Work on chunks until a signal comes."""
    job = load_job("-", flags)
    caller = caller_of(job)
    setup, place = set_up(job, caller.log, caller.machine), _database(job.ledger)
    if not setup.accounts.given:
        setup.accounts.find(OWN)  # a worker without any credential could only fail
    silence_s = _seconds(silence)
    if silence_s <= job.timeout:
        raise ConfigError(
            "A worker that waits for an answer must not be taken for dead.",
            advice=f"Let --silence be longer than one exchange may take, {show_duration(job.timeout)}.",
        )
    from bulk_cancel.cluster.worker import WorkerOptions, owner_name, work

    slot = executor_id or f"{socket.gethostname()}-{os.getpid()}"
    with place.together() as ledger:
        refuse_other_api(ledger, setup.api_url)
    worker = WorkerSetup(setup, owner_name(slot), silence_s)
    anyio.run(work, WorkerOptions(place.url, slot, setup=worker, at_once=at_once))


def cluster_status_command(ledger: str | None, *, as_json: bool) -> None:
    """Show the runs that workers carry out, their chunks and who works on them."""
    with errors_told(as_json=as_json), _database(ledger).reading() as opened:
        shared = cast(SharedLedger, opened)
        found = [(run, shared.chunks(run.run_no)) for run in shared.runs(limit=_RUNS)]
        runs = [(run, chunks) for run, chunks in found if chunks]
    if as_json:
        put_document({"ledger": opened.place, "runs": [_document(*one) for one in runs]})
        return
    Terminal().print(f"{styled('Ledger', 'bold')} {opened.place}", *_lines(runs))


def stop_command(run_id: str, ledger: str | None) -> None:
    """Have all workers stop working on a run."""
    with _database(ledger).together() as shared:
        runs = shared.runs(run_id)
        if not runs or not shared.chunk(runs[0].run_no, 1):
            raise UsageError(f"No run {run_id} is carried out by workers.", advice="See: bulk-cancel cluster status")
        shared.bind(stop_key(runs[0].run_no), "The run was stopped: bulk-cancel cluster stop.")
    print(f"Run {run_id} is being stopped: what is in flight settles, the rest stays pending.")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--silence is wrong: {error}.") from error


def _database(given: str | None) -> LedgerDatabase:
    place = place_of(given)
    if not isinstance(place, LedgerDatabase):
        raise UsageError(
            "Workers share a ledger in PostgreSQL.", advice="Name it: --ledger postgresql://user@host/database"
        )
    return place


def _lines(runs: list[tuple[RunRecord, Any]]) -> Iterator[str]:
    for run, chunks in runs:
        ended = [chunk for chunk in chunks if chunk.ended]
        left = sum(chunk.targets for chunk in chunks if not chunk.ended)
        yield ""
        yield f"{styled(run.run_id, 'bold')}  {run.status}  {clean(run.source)}"
        yield f"  {len(ended)} of {len(chunks)} chunks ended; {left:,} targets in the others"
        for chunk in chunks:
            if chunk.owner and not chunk.ended:
                yield f"  chunk {chunk.chunk.chunk_no}{_of(chunk)}: {clean(chunk.owner)}, {_heard(chunk)}"
    if not runs:
        yield "No run with workers yet. To begin one: bulk-cancel run SOURCE --engine dbos --ledger postgresql://…"


def _of(chunk: ChunkRecord) -> str:
    return f" of {clean(chunk.account)}" if chunk.account else ""


def _heard(chunk: ChunkRecord) -> str:
    return f"last heard of {show_duration(chunk.silent_s)} ago" if chunk.silent_s is not None else "not heard of yet"


def _document(run: RunRecord, chunks: Any) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "status": run.status,
        "source": run.source,
        "chunks": [
            {
                "chunk": chunk.chunk.chunk_no,
                "account": chunk.account,
                "series": chunk.series,
                "targets": chunk.targets,
                "owner": chunk.owner,
                "taken": chunk.epoch,
                "silent_s": None if chunk.silent_s is None else round(chunk.silent_s, 1),
                "ended": chunk.ended,
            }
            for chunk in chunks
        ],
    }
