"""`report`, `reconcile`, `resolve` and `ledger …`: commands on a ledger between runs."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from bulk_cancel.cli.run import caller_of, finish
from bulk_cancel.cli.stdout import errors_told, place_of, put_document, this_machine, zone_given
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.commands.export import export
from bulk_cancel.commands.reconcile import reconcile_ledger
from bulk_cancel.commands.report import ReportWish, report_run
from bulk_cancel.commands.resolve import Decision, forget, resolve
from bulk_cancel.core.target_name import target_name
from bulk_cancel.core.text import counted
from bulk_cancel.core.units import parse_duration
from bulk_cancel.errors import ConfigError, Exit, UsageError
from bulk_cancel.ops.disk import is_among, writing
from bulk_cancel.ops.private_files import replaced
from bulk_cancel.settings.job import load_job


def report_command(run_id: str, out: str | None, **flags: Any) -> None:
    """Write a run's result files again."""
    with errors_told(as_json=flags["json"]):
        folder = Path(out) if out else None
        wish = ReportWish(folder, zone_given(flags["timezone"]), bool(flags["excel"]), flags["show"] or ())
        done = report_run(place_of(flags["ledger"]), this_machine(), run_id, wish)
    if flags["json"]:
        missing = {"missing": done.missing} if done.missing else {}
        put_document({"run_id": done.run_id, "out": str(done.out), **missing})
        return
    Terminal().print(f"Run {done.run_id}: results in {done.out}")
    if done.missing:
        Terminal().print(done.missing)


def reconcile_command(**flags: object) -> None:
    """Settle unknown targets by reads alone."""
    job = load_job("-", flags)
    finish(job, reconcile_ledger(job, caller_of(job)))


def resolve_command(target: str, verdict: str, by: str, because: str, ledger: str | None) -> None:
    """Record a person's decision."""
    decision = Decision(verdict == "cancelled", by, because)
    work = resolve(place_of(ledger), this_machine(), target, decision, _settle_s())
    after = (
        "cancelled"
        if decision.cancelled
        else "not cancelled: the next run that names it reads it, and sends it again if it is active"
    )
    Terminal().print(f"{target_name(work.target)}: recorded as {after}.")


def verify_command(ledger: str | None) -> None:
    """Check a ledger in full."""
    place = place_of(ledger)
    with place.reading() as opened:
        wrong = opened.verify()
        newest = None if wrong else opened.newest_event()
    for line in wrong:
        Terminal().print(line)
    Terminal().print(f"{place}: {counted(len(wrong), 'fault') if wrong else 'whole: pages, history and states agree'}.")
    if newest is None:
        raise SystemExit(int(Exit.CONFIG))
    Terminal().print(f"Newest event: {newest[0]}, digest {newest[1]}.")


def backup_command(to: str, ledger: str | None) -> None:
    """Copy a ledger."""
    place = place_of(ledger)
    with place.reading() as opened:
        opened.backup(Path(to))
    Terminal().print(f"{place} copied to {to}.")


def forget_command(ledger: str | None) -> None:
    """Forget a ledger that is lost."""
    place = place_of(ledger)
    events = forget(place, this_machine())
    told = "nothing was remembered" if not events else f"{counted(events, 'event is', 'events are')} forgotten"
    Terminal().print(f"{place}: {told}. Run with --look each: every appointment is then read before its cancel.")


def _refuse_the_ledger(to: Path, ledger: str) -> None:
    if is_among(to, (Path(f"{ledger}{suffix}") for suffix in ("", "-wal", "-shm"))):
        raise UsageError(f"{to} is the ledger itself.", advice="Nothing was written. Name another file.")


def export_command(output: str | None, ledger: str | None) -> None:
    """Write a ledger's history as JSON lines."""
    place = place_of(ledger)
    if output is None:
        export(place, sys.stdout)
        return
    to = Path(output)
    _refuse_the_ledger(to, str(place))
    with writing(to), replaced(to) as file:
        text = TextIOWrapper(file, "utf-8", write_through=True)
        count = export(place, text)
        text.detach()
    Terminal(err=True).print(f"{counted(count, 'event')} written to {to}.")


def _settle_s() -> float:
    """Return the settle time of runs without a flag or job file. (A longer one of the sending run counts.)"""
    try:
        return parse_duration(os.environ.get("BULK_CANCEL_SETTLE") or "10m")
    except ValueError as error:
        raise ConfigError(f"BULK_CANCEL_SETTLE is wrong: {error}.") from error
