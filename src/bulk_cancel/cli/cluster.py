"""`worker` and `cluster …`: many machines, one ledger in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulk_cancel.cli.run import caller_of
from bulk_cancel.cli.stdout import errors_told, place_of, put_document
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.commands.cluster import runs_of_workers, stop_run
from bulk_cancel.commands.worker import work_on_chunks
from bulk_cancel.core.text import clean, counted
from bulk_cancel.core.units import parse_duration, show_duration
from bulk_cancel.errors import UsageError
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.shared import NOBODY, START_ONE, ChunkRecord, is_untaken
from bulk_cancel.settings.job import load_job


def worker_command(executor_id: str | None, silence: str, at_once: int, **flags: object) -> None:
    """Work on chunks until a signal comes."""
    job = load_job("-", flags)
    work_on_chunks(job, caller_of(job), executor_id, _seconds(silence), at_once)


def status_command(ledger: str | None, json: bool | None) -> None:
    """Show the runs that workers carry out, their chunks and who works on them."""
    with errors_told(as_json=json):
        place = place_of(ledger)
        runs = runs_of_workers(place)
    if json:
        put_document({"ledger": str(place), "runs": [_document(*one) for one in runs]})
        return
    Terminal().print(f"{styled('Ledger', 'bold')} {place}", *_lines(runs))


def stop_command(run_id: str, ledger: str | None) -> None:
    """Make all workers stop working on a run."""
    stop_run(place_of(ledger), run_id)
    Terminal().print(f"Run {run_id} is being stopped: requests in flight get their answers, the rest stays pending.")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--silence is wrong: {error}.") from error


def _lines(runs: list[tuple[RunRecord, Any]]) -> Iterator[str]:
    for run, chunks in runs:
        ended = [chunk for chunk in chunks if chunk.ended]
        left = sum(chunk.targets for chunk in chunks if not chunk.ended)
        yield ""
        yield f"{styled(run.run_id, 'bold')}  {run.status}  {clean(run.source)}"
        yield f"  {len(ended)} of {counted(len(chunks), 'chunk')} ended; {counted(left, 'target')} in the others"
        if run.status == "running" and is_untaken(chunks):
            yield f"  {NOBODY} {START_ONE}"
        for chunk in chunks:
            if chunk.owner and not chunk.ended:
                yield f"  chunk {chunk.chunk.chunk_no}{_of(chunk)}: {clean(chunk.owner)}, {_heard(chunk)}"
    if not runs:
        yield "No run with workers yet. To begin one: bulk-cancel run SOURCE --engine dbos --ledger postgresql://…"


def _of(chunk: ChunkRecord) -> str:
    return f" of {clean(chunk.account)}" if chunk.account else ""


def _heard(chunk: ChunkRecord) -> str:
    return f"last heartbeat {show_duration(chunk.silent_s)} ago" if chunk.silent_s is not None else "no heartbeat yet"


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
                "epoch": chunk.epoch,
                "silent_s": None if chunk.silent_s is None else round(chunk.silent_s, 1),
                "ended": chunk.ended,
            }
            for chunk in chunks
        ],
    }
