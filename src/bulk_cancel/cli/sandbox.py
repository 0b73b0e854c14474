"""`sandbox` and `demo`: try everything without an account."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import ledger_lock
from bulk_cancel.cli.docs import shipped_folder
from bulk_cancel.cli.render import show_plan, show_summary
from bulk_cancel.cli.stdout import place_of
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.commands.run import run_job
from bulk_cancel.core.plan import Plan
from bulk_cancel.core.units import parse_rate
from bulk_cancel.errors import Exit, UsageError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.ops.disk import writing
from bulk_cancel.ops.locks import locked
from bulk_cancel.ops.logs import make_log
from bulk_cancel.ops.private_files import replace_note
from bulk_cancel.ops.progress import make_display
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import load_job

#: Limits with which the demo takes seconds; the sandbox allows as much.
_QUICK = {"rate": "20/s", "burst": "60", "timeout": "3s", "settle": "2s"}
_JOB = "jobs/office_closure.toml"
_INPUT = "sample_inputs/office_closure.csv"
_LEDGER = "ledger.db"
#: A file that marks a demo's folder.
_MARKER = ".bulk-cancel-demo"


def sandbox_command(seed: str, any_caller: bool, **given: object) -> None:
    """Serve until Ctrl-C; with `seed` exactly the appointments of this input, or of this job's."""
    from bulk_cancel.commands.rehearse import seed_world
    from bulk_cancel.sandbox.options import SandboxOptions
    from bulk_cancel.sandbox.quirks import parse_quirks
    from bulk_cancel.sandbox.server import serve

    reading = {name: given.pop(name) for name in ("map", "hidden_rows", "encoding")}
    given["any_personal_token"] = any_caller
    try:
        rate_per_s, quirks = parse_rate(str(given.pop("rate"))), parse_quirks(str(given.pop("quirks")))
        world = seed_world(seed, reading) if seed else None
        options = SandboxOptions(rate_per_s=rate_per_s, world=world, quirks=quirks, **given)  # type: ignore[arg-type]  # as app.py declares them
        serve(options, Terminal(err=True).print)
    except (ValueError, OSError) as error:
        raise UsageError(f"The sandbox cannot start: {error}.") from error


def demo_command(folder: str) -> None:
    """Run the sample job twice against a sandbox; the second time nothing is left to send."""
    from bulk_cancel.sandbox.demo_data import demo_options
    from bulk_cancel.sandbox.server import running

    terminal = Terminal(err=True)
    place = Path(folder)
    job_file = lay_out(place)
    with running(demo_options()) as sandbox:
        terminal.print(_rule("A sandbox stands in for the API: nobody gets a mail"))
        environ = {**os.environ, "MEETERGO_API_URL": sandbox.url, "MEETERGO_TOKEN": _token_of(place)}
        first = _run(terminal, environ, job_file, place / "first")
        terminal.print(_rule("The same job again"))
        again = _run(terminal, environ, job_file, place / "again")
        truth = sandbox.truth()
        terminal.print(_rule("What the sandbox counted"))
        terminal.print(truth.told)
    if truth.doubled or (again.requests and again.requests.posts) or first.exit_code != again.exit_code:
        raise SystemExit(int(Exit.BUG))


def _token_of(folder: Path) -> str:
    """Return a token for this folder, which any sandbox accepts: two demos at once share no lock of a credential."""
    return f"rgo-demo-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]}"


def _rule(title: str) -> str:
    return styled(f"── {title} ──", "bold")


def lay_out(folder: Path) -> Path:
    """Copy the sample job to a folder of the demo and return its file; the ledger of an earlier demo is removed.

    Raises UsageError for a folder that is not empty and not a demo's. Nothing else in it is touched.
    """
    marker = folder / _MARKER
    if folder.exists() and not marker.is_file() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and not a demo's.", advice="Name another folder with --in.")
    replace_note(marker, "The folder of `bulk-cancel demo`, which begins its ledger.db anew each time.\n")
    _begin_anew(folder / _LEDGER)
    for name in (_JOB, _INPUT):
        with writing(folder / name):
            replace_note(folder / name, (shipped_folder() / name).read_text(encoding="utf-8"))
    return folder / _JOB


def _begin_anew(ledger: Path) -> None:
    with locked(ledger_lock(ledger), f"the ledger {ledger}"):
        for suffix in ("", "-wal", "-shm"):
            Path(f"{ledger}{suffix}").unlink(missing_ok=True)
    place_of(str(ledger)).forget()


def _run(terminal: Terminal, environ: Mapping[str, str], job_file: Path, out: Path) -> Summary:
    flags = {"ledger": str(out.parent / _LEDGER), "out": str(out), "yes": True}
    job = load_job(str(job_file), {**_QUICK, **flags})
    log = make_log(quiet=True)

    def approve(plan: Plan) -> bool:
        show_plan(terminal, plan, _INPUT, runs=True)
        return True

    summary = run_job(job, Caller(Machine(environ), log, make_display(log, quiet=False), approve))
    show_summary(terminal, summary)
    return summary
