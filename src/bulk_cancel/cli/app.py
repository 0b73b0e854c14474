"""The commands and their own options. Each command imports what it needs when it is called, so that help is fast."""

from typing import Any

import click

from bulk_cancel.cli.command import Argument, Command, Group, Option
from bulk_cancel.cli.parameters import (
    SELECT_NAMES,
    SELECTS,
    day_options,
    flag_option,
    number_option,
    source_parameter,
    target_parameter,
    text_option,
)
from bulk_cancel.cli.registry import app, command, group
from bulk_cancel.cli.stdout import put_out

__all__ = ["app"]

_CANCEL, _AFTER, _SETTINGS, _TRY, _HELP = "Cancel", "Afterwards", "Settings and machines", "Try it", "Help"


# -- cancel -------------------------------------------------------------------------------------------------------


@command(
    "find",
    _CANCEL,
    *day_options(required=True),
    *SELECTS,
    flag_option("--include-cancelled", "Cancelled appointments, too."),
    flag_option("--include-contacts", "Names, mail addresses, phone numbers; needs -o."),
    text_option(
        "-o", "FILE", "Write to this file: .csv, .parquet or .xlsx. (default: stdout)", spelt=("--output", "output")
    ),
    flag_option("--force", "Replace an existing file."),
    example="find --from 2026-12-24 --to 2026-12-24 --timezone Europe/Berlin -o closure.csv",
    required={"timezone"},
)
def find(include_cancelled: bool, include_contacts: bool, output: str | None, force: bool, **given: Any) -> None:
    """Find appointments of whole days: an input for a closure. Only reads; sends nothing."""
    from pathlib import Path

    from bulk_cancel.cli.find import find_command
    from bulk_cancel.commands.find import FindOutput

    select = {name: given.pop(name) for name in SELECT_NAMES}
    file = Path(output) if output else None
    find_command(select, given, FindOutput(file, include_cancelled, include_contacts, force))


@command("plan", _CANCEL, source_parameter(), example="plan closure.csv -o closure.plan")
def plan(source: str, **flags: object) -> None:
    """Show what a run would do, and why. Sends nothing, writes no ledger."""
    from bulk_cancel.cli.run import plan_command

    plan_command(source, flags)


@command("show", _CANCEL, Argument(["plan"], metavar="PLAN", help="A plan file."), example="show closure.plan")
def show(plan: str, timezone: str | None, json: bool | None) -> None:
    """Show what a plan file says, and its digest."""
    from pathlib import Path

    from bulk_cancel.cli.show import show_plan_file

    show_plan_file(Path(plan), timezone, as_json=bool(json))


@command(
    "run", _CANCEL, source_parameter(), example="run closure.csv --reason 'Our office is closed.' --max-cancel 500"
)
def run(source: str, **flags: object) -> None:
    """Validate, plan, ask, cancel, report. Running again resumes and never repeats."""
    from bulk_cancel.cli.run import run_command

    run_command(source, flags)


# -- afterwards ---------------------------------------------------------------------------------------------------


@command(
    "closed",
    _AFTER,
    source_parameter("A job file with a [select] table, instead of the days. (optional)", required=False, default=""),
    *day_options(required=False),
    *SELECTS,
    flag_option("--include-contacts", "Names, mail addresses, phone numbers; needs --out."),
    example="closed --from 2026-12-24 --to 2026-12-24 --timezone Europe/Berlin --all-hosts",
)
def closed(source: str, include_contacts: bool, **given: Any) -> None:
    """Check whether days are really closed, and what remains on them. Only reads."""
    from bulk_cancel.cli.closed import closed_command

    select = {name: given.pop(name) for name in SELECT_NAMES}
    flags = given | {"timezone": select["timezone"]} if source else given
    closed_command(source, select, flags, with_contacts=include_contacts)


@command("status", _AFTER, number_option("--limit", "How many runs to show.", 5), example="status --json")
def status(ledger: str | None, limit: int, timezone: str | None, json: bool | None) -> None:
    """Show the last runs, what is open, and what to do next. Only reads, even while a run is active."""
    from bulk_cancel.cli.status import status_command

    status_command(ledger, limit, timezone, as_json=bool(json))


@command("explain", _AFTER, target_parameter(), example="explain 6f1c9f0e-5a8e-4a52-9c0e-000000000001")
def explain(target: str, ledger: str | None, timezone: str | None, json: bool | None) -> None:
    """Show one appointment's whole history over all runs. And what to do next."""
    from bulk_cancel.cli.status import explain_command

    explain_command(target, ledger, timezone, as_json=bool(json))


@command("reconcile", _AFTER, example="reconcile --wait")
def reconcile(**flags: object) -> None:
    """Look up cancels without a known outcome. Only reads; sends nothing."""
    from bulk_cancel.cli.ledger import reconcile_command

    reconcile_command(flags)


@command(
    "resolve",
    _AFTER,
    target_parameter(),
    Option(
        ["--as", "verdict"],
        metavar="cancelled|not-cancelled",
        type=click.Choice(["cancelled", "not-cancelled"]),
        required=True,
        help="What you found out.",
    ),
    text_option("--by", "NAME", "The person who decides.", required=True),
    text_option("--because", "TEXT", "How that person knows.", required=True),
    example="resolve 6f1c9f0e-5a8e-4a52-9c0e-000000000001 --as cancelled --by Ada --because 'The host said so.'",
)
def resolve(target: str, verdict: str, by: str, because: str, ledger: str | None) -> None:
    """Record a person's decision about an unknown cancel."""
    from bulk_cancel.cli.ledger import resolve_command
    from bulk_cancel.commands.resolve import Decision

    resolve_command(target, Decision(verdict == "cancelled", by, because), ledger)


@command(
    "report",
    _AFTER,
    Argument(["run_id"], metavar="[RUN]", required=False, default="", help="The run's id. (default: the newest)"),
    example="report --excel",
)
def report(run_id: str, out: str | None, **flags: Any) -> None:
    """Write a run's result files and page again, from the ledger."""
    from pathlib import Path

    from bulk_cancel.cli.ledger import report_command

    report_command(run_id, Path(out) if out else None, flags)


group("ledger", _AFTER, "Verify, back up or export a ledger.")


@command("ledger verify", "", example="ledger verify")
def ledger_verify(ledger: str | None) -> None:
    """Check everything: pages, the chain over the history, every state against its history."""
    from bulk_cancel.cli.ledger import verify_command

    verify_command(ledger)


@command("ledger backup", "", Argument(["to"], metavar="FILE", help="The new file."), example="ledger backup copy.db")
def ledger_backup(to: str, ledger: str | None) -> None:
    """Copy the ledger, whole and consistent, even while a run writes to it."""
    from pathlib import Path

    from bulk_cancel.cli.ledger import backup_command

    backup_command(Path(to), ledger)


@command("ledger forget", "", example="ledger forget --ledger lost.db")
def ledger_forget(ledger: str | None) -> None:
    """Forget a ledger that is lost for good, so that a new one, or an older copy, may be used."""
    from bulk_cancel.cli.ledger import forget_command

    forget_command(ledger)


@command(
    "ledger export",
    "",
    text_option("-o", "FILE", "Write to this file. (default: stdout)", spelt=("--output", "output")),
    example="ledger export -o history.jsonl",
)
def ledger_export(output: str | None, ledger: str | None) -> None:
    """Write the whole history as JSON lines, one event per line."""
    from pathlib import Path

    from bulk_cancel.cli.ledger import export_command

    export_command(Path(output) if output else None, ledger)


# -- settings and machines ----------------------------------------------------------------------------------------


@command(
    "doctor",
    _SETTINGS,
    source_parameter("A job file, or an input, to check. (optional)", required=False, default=""),
    example="doctor jobs/nightly.toml",
)
def doctor(source: str, ledger: str | None, json: bool | None) -> None:
    """Check the settings, the ledger, the credential and the API. Sends no cancel; ends as a run would."""
    from bulk_cancel.cli.doctor import doctor_command

    doctor_command(source, ledger, as_json=bool(json))


group("config", _SETTINGS, "See the settings of a run.")


@command("config show", "", source_parameter(), example="config show jobs/nightly.toml")
def config_show(source: str, **flags: object) -> None:
    """Show each setting, its value and where it came from. Takes the options of run and plan; sends nothing."""
    from bulk_cancel.cli.config import show_command

    show_command(source, flags)


@command(
    "worker",
    _SETTINGS,
    text_option(
        "--executor-id",
        "NAME",
        "The slot's name: the same one after a restart gets its chunks back at once.",
        envvar="BULK_CANCEL_EXECUTOR_ID",
    ),
    text_option(
        "--silence", "DUR", "A worker that is silent for longer loses its chunk.", default="90s", show_default=True
    ),
    number_option("--at-once", "Accounts to work for at the same time.", 16),
    example="worker --ledger postgresql://cancel@db.example.com/cancel",
)
def worker(executor_id: str | None, silence: str, at_once: int, **flags: object) -> None:
    """Carry out chunks of runs begun with --engine dbos. Start any number, anywhere. Extra [cluster]."""
    from bulk_cancel.cli.cluster import worker_command

    worker_command(flags, executor_id, silence, at_once)


group("cluster", _SETTINGS, "See and stop what workers do.")


@command("cluster status", "", example="cluster status --json")
def cluster_status(ledger: str | None, json: bool | None) -> None:
    """Show the runs of workers: chunks, their owners, and the owners that have fallen silent."""
    from bulk_cancel.cli.cluster import cluster_status_command

    cluster_status_command(ledger, as_json=bool(json))


@command(
    "cluster stop",
    "",
    Argument(["run_id"], metavar="RUN", help="The run's id."),
    example="cluster stop 20261122-093015-4f1c",
)
def cluster_stop(run_id: str, ledger: str | None) -> None:
    """Stop a run on all workers. Requests in flight get their answers; run it again to continue."""
    from bulk_cancel.cli.cluster import stop_command

    stop_command(run_id, ledger)


# -- try it -------------------------------------------------------------------------------------------------------


@command(
    "demo",
    _TRY,
    text_option("--in", "DIR", "Folder of the demo's ledger and results.", spelt=("folder",), default=".demo"),
    example="demo",
)
def demo(folder: str) -> None:
    """Run the sample job twice against a sandbox. No account, no mail, a few seconds."""
    from pathlib import Path

    from bulk_cancel.cli.sandbox import demo_command

    demo_command(Path(folder))


@command(
    "sandbox",
    _TRY,
    number_option("--port", "Port on 127.0.0.1; 0 takes a free one.", 8717),
    number_option("--count", "Number of invented appointments.", 200),
    text_option("--seed", "SOURCE", "Serve the ids of this input, or job file.", default=""),
    number_option("--pending", "Number of invented provisional bookings.", 0),
    text_option("--quirks", "NAMES", "Differ from the documented API, e.g. pages-of-25,slots-times", default=""),
    text_option("--faults", "SPEC", "E.g. cut-after=0.1,502-before=0.05,429=0.02", default=""),
    text_option("--rate", "N/s|N/min", "The key's limit. (default: 100/min)", default="100/min"),
    number_option("--burst", "Requests the limit allows at once.", 200),
    flag_option("--any-caller", "Accept any rgo-… token, each with a limit of its own."),
    example="sandbox --seed closure.csv",
)
def sandbox(seed: str, any_caller: bool, **given: Any) -> None:
    """Serve a local stand-in for the API, to rehearse with."""
    from bulk_cancel.cli.sandbox import sandbox_command

    reading = {name: given.pop(name) for name in ("map", "hidden_rows", "encoding")}
    sandbox_command(seed, reading, any_personal_token=any_caller, **given)


# -- help ---------------------------------------------------------------------------------------------------------


@command(
    "help",
    _HELP,
    Argument(["names"], metavar="[COMMAND]", nargs=-1, help="The command. (default: all of them)"),
    example="help run",
)
def help_of(names: tuple[str, ...]) -> None:
    """Show the whole help of a command."""
    context = click.get_current_context().find_root()
    found: click.Command = app
    for name in names:
        among = found if isinstance(found, Group) else app
        _, found, _ = among.resolve_command(context, [name])  # type: ignore[assignment]  # it raises for no command
        context = click.Context(found, parent=context, info_name=name)
    if isinstance(found, Command):
        put_out(found.help_text(context, whole=True))


@command(
    "docs",
    _HELP,
    Argument(["name"], metavar="[PAGE]", required=False, default="", help="A page, e.g. runbook or guides/nightly."),
    example="docs runbook",
)
def docs(name: str) -> None:
    """Print a page that comes with the program, or where all are."""
    from bulk_cancel.cli.docs import docs_command

    docs_command(name)


@command("version", _HELP, example="version")
def version() -> None:
    """Show versions."""
    from bulk_cancel.cli.about import print_versions

    print_versions()
