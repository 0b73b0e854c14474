"""`sandbox` and `demo`: trying everything without an account."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bulk_cancel.access.machine import Machine
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
from bulk_cancel.ops.logs import make_log
from bulk_cancel.ops.progress import make_display
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import load_job

#: Limits that finish in seconds; the sandbox enforces none below them.
_QUICK = {"rate": "20/s", "burst": "60", "timeout": "3s", "settle": "2s"}
_JOB = "jobs/office_closure.toml"
_INPUT = "sample_inputs/office_closure.csv"


def sandbox_command(seed: str, reading: Mapping[str, object], **given: object) -> None:
    """Serve until Ctrl-C; with `seed` exactly the appointments that this input, or this job's, names.

    `reading` is how the input is read: --map, --encoding, --hidden-rows.
    """
    from bulk_cancel.commands.rehearse import write_seed
    from bulk_cancel.sandbox.options import SandboxOptions
    from bulk_cancel.sandbox.quirks import parse_quirks
    from bulk_cancel.sandbox.server import serve

    try:
        rate_per_s, quirks = parse_rate(str(given.pop("rate"))), parse_quirks(str(given.pop("quirks")))
        with tempfile.TemporaryDirectory(prefix="bulk-cancel-") as folder:
            seed_file = write_seed(seed, Path(folder), reading) if seed else None
            options = SandboxOptions(rate_per_s=rate_per_s, seed_file=seed_file, quirks=quirks, **given)  # type: ignore[arg-type]  # as main.py declares them
            world = options.make_world()
        serve(replace(options, world=world))
    except (ValueError, OSError) as error:
        raise UsageError(f"The sandbox cannot start: {error}.") from error


def demo_command(folder: Path) -> None:
    """Run the sample job twice against a sandbox of its own; the second time there is nothing left to send."""
    from bulk_cancel.sandbox.credentials import OWNER_TOKEN
    from bulk_cancel.sandbox.demo_data import demo_options
    from bulk_cancel.sandbox.server import running

    terminal = Terminal(err=True)
    job_file = _sample_job(folder)
    with running(demo_options()) as sandbox:
        terminal.print(_rule("A sandbox stands in for the API: nobody gets a mail"))
        environ = {**os.environ, "MEETERGO_API_URL": sandbox.url, "MEETERGO_TOKEN": OWNER_TOKEN}
        first = _run(terminal, environ, job_file, folder / "first")
        terminal.print(_rule("The same job again"))
        again = _run(terminal, environ, job_file, folder / "again")
        truth = sandbox.truth()
        terminal.print(_rule("What the sandbox counted"))
        terminal.print(
            f"{len(truth.applied)} cancellations, those that a series took along included; "
            f"{len(truth.doubled)} of them twice."
        )
    if truth.doubled or again.requests.posts or first.exit_code != again.exit_code:
        raise SystemExit(int(Exit.BUG))


def _rule(title: str) -> str:
    return styled(f"── {title} ──", "bold")


def _sample_job(folder: Path) -> Path:
    """Lay the sample job out in a fresh folder."""
    if folder.exists() and not (folder / _JOB).exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and not a demo's.", advice="Name another folder with --in.")
    shutil.rmtree(folder, ignore_errors=True)
    place_of(str(_ledger_of(folder))).forget()
    for name in (_JOB, _INPUT):
        (folder / name).parent.mkdir(parents=True)
        with writing(folder / name):
            shutil.copyfile(shipped_folder() / name, folder / name)
    return folder / _JOB


def _ledger_of(folder: Path) -> Path:
    return folder / "ledger.db"


def _run(terminal: Terminal, environ: Mapping[str, str], job_file: Path, out: Path) -> Summary:
    flags = {"ledger": str(_ledger_of(out.parent)), "out": str(out), "yes": True}
    job = load_job(str(job_file), {**_QUICK, **flags})
    log = make_log(quiet=True)

    def approve(plan: Plan) -> bool:
        show_plan(terminal, plan, _INPUT)
        return True

    summary = run_job(job, Caller(Machine(environ), log, make_display(log, quiet=False), approve))
    show_summary(terminal, summary)
    return summary
