"""The commands, their own options and their help."""

from collections.abc import Iterable

import click

from bulk_cancel.cli.command import Argument, Command, Group, Option, Table
from bulk_cancel.cli.parameters import (
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


def _fault_tables() -> Iterable[Table]:
    from bulk_cancel.sandbox.faults import fault_tables  # needed for one help text only

    return fault_tables()


_CANCEL, _AFTER, _SETTINGS, _TRY, _HELP = "Cancel", "Afterwards", "Settings and machines", "Try it", "Help"

command(
    "find",
    "Find appointments of whole days: an input for a closure. Only reads; sends nothing.",
    *day_options(required=True),
    *SELECTS,
    flag_option("--include-cancelled", "Cancelled appointments, too."),
    flag_option("--include-contacts", "Names, mail addresses, phone numbers; needs -o."),
    text_option(
        "-o", "FILE", "Write to this file: .csv, .parquet or .xlsx. (default: stdout)", spelt=("--output", "output")
    ),
    flag_option("--force", "Replace an existing file."),
    heading=_CANCEL,
    example="find --from 2026-12-24 --to 2026-12-24 --timezone Europe/Berlin -o closure.csv",
    required={"timezone"},
)
command(
    "plan",
    "Show what a run would do, and why. Sends nothing, writes no ledger.",
    source_parameter(),
    heading=_CANCEL,
    example="plan closure.csv -o closure.plan",
    module="run",
)
command(
    "show",
    "Show what a plan file says, and its digest.",
    Argument(["plan"], metavar="PLAN", help="A plan file."),
    heading=_CANCEL,
    example="show closure.plan",
)
command(
    "run",
    "Validate, plan, ask, cancel, report. Running again resumes and never repeats.",
    source_parameter(),
    heading=_CANCEL,
    example="run closure.csv --reason 'Our office is closed.' --max-cancel 500",
)
command(
    "closed",
    "Check whether days are really closed, and what remains on them. Only reads.",
    source_parameter("A job file with a [select] table, instead of the days.", required=False, default=""),
    *day_options(required=False),
    *SELECTS,
    flag_option("--include-contacts", "Names, mail addresses, phone numbers; needs --out."),
    heading=_AFTER,
    example="closed --from 2026-12-24 --to 2026-12-24 --timezone Europe/Berlin --all-hosts",
)
command(
    "status",
    "Show the last runs, what is open, and what to do next. Only reads, even while a run is active.",
    number_option("--limit", "How many runs to show.", 5),
    heading=_AFTER,
    example="status --json",
)
command(
    "explain",
    "Show one appointment's whole history over all runs. And what to do next.",
    target_parameter(),
    heading=_AFTER,
    example="explain 6f1c9f0e-5a8e-4a52-9c0e-000000000001",
    module="status",
)
command(
    "reconcile",
    "Look up cancels without a known outcome. Only reads; sends nothing.",
    heading=_AFTER,
    example="reconcile --wait",
    module="ledger",
)
command(
    "resolve",
    "Record a person's decision about an unknown cancel.",
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
    heading=_AFTER,
    example="resolve 6f1c9f0e-5a8e-4a52-9c0e-000000000001 --as cancelled --by Ada --because 'The host said so.'",
    module="ledger",
)
command(
    "report",
    "Write a run's result files and page again, from the ledger.",
    Argument(["run_id"], metavar="[RUN]", required=False, default="", help="The run's id. (default: the newest)"),
    heading=_AFTER,
    example="report --excel",
    module="ledger",
)
group("ledger", _AFTER, "Verify, back up or export a ledger.")
command(
    "ledger verify",
    "Check everything: pages, the chain over the history, every state against its history.",
    example="ledger verify",
)
command(
    "ledger backup",
    "Copy the ledger, whole and consistent, even while a run writes to it.",
    Argument(["to"], metavar="FILE", help="The new file."),
    example="ledger backup copy.db",
)
command(
    "ledger forget",
    "Forget a ledger that is lost for good, so that a new one, or an older copy, may be used.",
    example="ledger forget --ledger lost.db",
)
command(
    "ledger export",
    "Write the whole history as JSON lines, one event per line.",
    text_option("-o", "FILE", "Write to this file. (default: stdout)", spelt=("--output", "output")),
    example="ledger export -o history.jsonl",
)
command(
    "doctor",
    "Check the settings, the ledger, the credential and the API. Sends no cancel; ends as a run would.",
    source_parameter("A job file, or an input, to check.", required=False, default=""),
    heading=_SETTINGS,
    example="doctor jobs/nightly.toml",
)
group("config", _SETTINGS, "See the settings of a run.")
command(
    "config show",
    "Show each setting, its value and where it came from. Takes the options of run and plan; sends nothing.",
    source_parameter(),
    example="config show jobs/nightly.toml",
)
command(
    "worker",
    "Carry out chunks of runs begun with --engine dbos. Start any number, anywhere. Extra [cluster].",
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
    heading=_SETTINGS,
    example="worker --ledger postgresql://cancel@db.example.com/cancel",
    module="cluster",
)
group("cluster", _SETTINGS, "See and stop what workers do.")
command(
    "cluster status",
    "Show the runs of workers: chunks, their owners, and the owners that have fallen silent.",
    example="cluster status --json",
)
command(
    "cluster stop",
    "Stop a run on all workers. Requests in flight get their answers; run it again to continue.",
    Argument(["run_id"], metavar="RUN", help="The run's id."),
    example="cluster stop 20261122-093015-4f1c",
)
command(
    "demo",
    "Run the sample job twice against a sandbox. No account, no mail, a few seconds.",
    text_option("--in", "DIR", "Folder of the demo's ledger and results.", spelt=("folder",), default=".demo"),
    heading=_TRY,
    example="demo",
    module="sandbox",
)
command(
    "sandbox",
    "Serve a local stand-in for the API, to rehearse with.",
    number_option("--port", "Port on 127.0.0.1; 0 takes a free one.", 8717),
    number_option("--count", "Number of invented appointments.", 200),
    text_option("--seed", "SOURCE", "Serve the ids of this input, or job file.", default=""),
    number_option("--pending", "Number of invented provisional bookings.", 0),
    text_option("--quirks", "NAMES", "Differ from the documented API, e.g. pages-of-25,slots-times", default=""),
    text_option("--faults", "SPEC", "E.g. cut-after=0.1,502-before=0.05,429=0.02; --help has all.", default=""),
    text_option("--rate", "N/s|N/min", "The key's limit. (default: 100/min)", default="100/min"),
    number_option("--burst", "Requests the limit allows at once.", 200),
    flag_option("--any-caller", "Accept any rgo-… token, each with a limit of its own."),
    heading=_TRY,
    example="sandbox --seed closure.csv",
    tables=_fault_tables,
)
command(
    "help",
    "Show the whole help of a command.",
    Argument(["names"], metavar="[COMMAND]", nargs=-1, help="The command. (default: all of them)"),
    heading=_HELP,
    example="help run",
    module="app",
)
command(
    "docs",
    "Print a page that comes with the program, or where all are.",
    Argument(["name"], metavar="[PAGE]", required=False, default="", help="A page, e.g. runbook or guides/nightly."),
    heading=_HELP,
    example="docs runbook",
)
command("version", "Show versions.", heading=_HELP, example="version", module="registry")


def help_command(names: tuple[str, ...]) -> None:
    """Print the whole help of the command that these words name."""
    context = click.get_current_context().find_root()
    found: click.Command = app
    for name in names:
        among = found if isinstance(found, Group) else app
        _, found, _ = among.resolve_command(context, [name])  # type: ignore[assignment]  # it raises for no command
        context = click.Context(found, parent=context, info_name=name)
    if isinstance(found, Command):
        put_out(found.help_text(context, whole=True))
