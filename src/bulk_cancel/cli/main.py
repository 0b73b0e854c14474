"""The entry point: the list of commands, and the one place where errors become messages and exit codes."""

# No `from __future__ import annotations`: typer would compile each one again, and `--help` take a tenth longer.
import os
import sys
import traceback
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bulk_cancel.cli.options import LEDGER_HELP, with_job_options, with_reading_options, with_worker_options
from bulk_cancel.cli.streams import prepare_streams
from bulk_cancel.errors import BulkCancelError, Exit, OutputError

app = typer.Typer(
    name="bulk-cancel",
    help="Cancel many meetergo appointments safely: never twice, never lost, within the limit.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", help="A job file (.toml), an input file, or - for CSV on stdin.", show_default=False
    ),
]


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show versions and exit.")] = False) -> None:
    if version:
        from bulk_cancel.cli.about import print_versions

        print_versions()
        raise typer.Exit


@app.command()
@with_job_options
def run(
    source: Source,
    dry_run: Annotated[bool | None, typer.Option("--dry-run", "-n", help="Only plan. [same as: plan]")] = None,
    **flags: object,
) -> None:
    """Validate, plan, ask, cancel, report. Running again resumes and never repeats."""
    from bulk_cancel.cli.run import run_command

    run_command(source, {**flags, "dry_run": dry_run})


@app.command()
@with_job_options
def plan(source: Source, **flags: object) -> None:
    """Show what a run would do, and why. Sends nothing, writes no ledger."""
    from bulk_cancel.cli.run import plan_command

    plan_command(source, flags)


Values = dict[str, object]


@app.command()
def find(  # noqa: PLR0913 - options of a command
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day.", show_default=False)],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day, included.", show_default=False)],
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="Whose days, e.g. Europe/Berlin.", show_default=False)],
    location: Annotated[str | None, typer.Option(metavar="TEXT", help="A part of the location, in any case.")] = None,
    host: Annotated[list[str] | None, typer.Option(metavar="UUID", help="Whose appointments. (repeatable)")] = None,
    all_hosts: Annotated[bool, typer.Option("--all-hosts", help="Everybody's. (admins)")] = False,
    meeting_type: Annotated[str | None, typer.Option(metavar="UUID", help="Of this meeting type.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="TEXT", help="Held over this channel.")] = None,
    with_cancelled: Annotated[bool, typer.Option("--include-cancelled", help="Cancelled ones, too.")] = False,
    with_contacts: Annotated[bool, typer.Option("--include-contacts", help="Names, mails, phones; needs -o.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help=".csv, .parquet or .xlsx. Default: stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    user_id: Annotated[str | None, typer.Option(metavar="UUID", help="Act as this user. (Platform API keys)")] = None,
    accounts: Annotated[str | None, typer.Option(metavar="FILE", help="Several credentials: a TOML file.")] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Which of them to search with.")] = None,
    rate: Annotated[str | None, typer.Option(metavar="N/s|N/min", help="The key's limit. (default: 100/min)")] = None,
    burst: Annotated[str | None, typer.Option(metavar="N", help="Requests allowed at once. (default: 200)")] = None,
    timeout: Annotated[str | None, typer.Option(metavar="DUR", help="For one exchange. (default: 30s)")] = None,
    lock_wait: Annotated[str | None, typer.Option(metavar="DUR", help="Wait so long for a run to end.")] = None,
    json: Annotated[bool | None, typer.Option("--json/--no-json", help="Print one JSON document; needs -o.")] = None,
    quiet: Annotated[bool | None, typer.Option("--quiet/--no-quiet", "-q", help="Only warnings and errors.")] = None,
) -> None:
    """Find appointments of whole days: an input for a closure. Only reads; sends nothing."""
    from bulk_cancel.cli.find import find_command
    from bulk_cancel.commands.find import FindOutput

    select: Values = {"from": first, "to": last, "timezone": timezone, "location": location, "host": host or None}
    select |= {"all_hosts": all_hosts, "meeting_type": meeting_type, "channel": channel}
    flags: Values = {"user_id": user_id, "rate": rate, "burst": burst, "timeout": timeout, "lock_wait": lock_wait}
    flags |= {"accounts": accounts, "account": account, "json": json, "quiet": quiet}
    find_command(select, flags, FindOutput(out, with_cancelled, with_contacts, force))


@app.command()
def show(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what a plan file says, and its digest."""
    from bulk_cancel.cli.show import show_plan_file

    show_plan_file(plan, as_json=as_json)


EXECUTOR_HELP = "The slot's name: the same one after a restart gets its chunks back at once."
LedgerOption = Annotated[str | None, typer.Option("--ledger", metavar="PATH|URL", help=LEDGER_HELP, show_default=False)]
Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="An appointment's id, or APPOINTMENT/ATTENDEE.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def report(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="The run's id. Default: the newest.", show_default=False)
    ] = "",
    ledger: LedgerOption = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write. Default: where the run did.")] = None,
    excel: Annotated[bool, typer.Option("--excel", help="Write results.xlsx as well.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a run's result files and page again, from the ledger."""
    from bulk_cancel.cli.ledger import report_command

    report_command(run_id, ledger, out, excel=excel, as_json=as_json)


@app.command()
def status(
    ledger: LedgerOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many runs to show.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show the last runs, what is open, and what to do now. Only reads, also while a run is at work."""
    from bulk_cancel.cli.status import status_command

    status_command(ledger, limit, as_json=as_json)


@app.command()
def doctor(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A job file or an input that a run is to take.", show_default=False)
    ] = "",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the settings, the ledger, the credential and the API. Sends no cancel; ends as a run would."""
    from bulk_cancel.cli.doctor import doctor_command

    doctor_command(source, ledger, as_json=as_json)


@app.command()
def explain(target: Target, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Tell one appointment's whole history over all runs. And what follows from it."""
    from bulk_cancel.cli.status import explain_command

    explain_command(target, ledger, as_json=as_json)


@app.command()
@with_job_options
def reconcile(**flags: object) -> None:
    """Look up cancels without a known outcome. Only reads; sends nothing."""
    from bulk_cancel.cli.ledger import reconcile_command

    reconcile_command(flags)


class Verdict(StrEnum):
    """What a person may decide about an unknown target."""

    CANCELLED = "cancelled"
    NOT_CANCELLED = "not-cancelled"


@app.command()
def resolve(
    target: Target,
    verdict: Annotated[Verdict, typer.Option("--as", help="What you found out.", show_default=False)],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides.", show_default=False)],
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="How you know.", show_default=False)],
    ledger: LedgerOption = None,
) -> None:
    """Record a person's decision about an unknown cancel."""
    from bulk_cancel.cli.ledger import resolve_command
    from bulk_cancel.commands.resolve import Decision

    resolve_command(target, Decision(verdict is Verdict.CANCELLED, by, because), ledger)


ledger_app = typer.Typer(help="Verify, back up or export a ledger.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("verify")
def ledger_verify(ledger: LedgerOption = None) -> None:
    """Check everything: pages, the chain over the history, every state against its history."""
    from bulk_cancel.cli.ledger import verify_command

    verify_command(ledger)


@ledger_app.command("backup")
def ledger_backup(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")], ledger: LedgerOption = None
) -> None:
    """Copy the ledger, whole and consistent, also while a run writes to it."""
    from bulk_cancel.cli.ledger import backup_command

    backup_command(to, ledger)


@ledger_app.command("forget")
def ledger_forget(ledger: LedgerOption = None) -> None:
    """Forget a ledger that is lost for good, so that a new one, or an older copy, may be used."""
    from bulk_cancel.cli.ledger import forget_command

    forget_command(ledger)


@ledger_app.command("export")
def ledger_export(
    to: Annotated[Path | None, typer.Option("--to", "-o", help="File to write. Default: stdout.")] = None,
    ledger: LedgerOption = None,
) -> None:
    """Write the whole history as JSON lines, an event a line."""
    from bulk_cancel.cli.ledger import export_command

    export_command(to, ledger)


@app.command()
@with_worker_options
def worker(
    executor_id: Annotated[
        str | None,
        typer.Option("--executor-id", metavar="NAME", envvar="BULK_CANCEL_EXECUTOR_ID", help=EXECUTOR_HELP),
    ] = None,
    silence: Annotated[str, typer.Option(metavar="DUR", help="A worker silent for so long loses its chunk.")] = "90s",
    at_once: Annotated[int, typer.Option(metavar="N", min=1, help="Accounts to work for at the same time.")] = 16,
    **flags: object,
) -> None:
    """Carry out chunks of runs that were begun with --engine dbos. Start any number, anywhere. Extra [cluster]."""
    from bulk_cancel.cli.cluster import worker_command

    worker_command(flags, executor_id, silence, at_once)


cluster_app = typer.Typer(help="See and stop what workers do.", no_args_is_help=True)
app.add_typer(cluster_app, name="cluster")


@cluster_app.command("status")
def cluster_status(ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Show the runs of workers: chunks, owners, who has not been heard of."""
    from bulk_cancel.cli.cluster import cluster_status_command

    cluster_status_command(ledger, as_json=as_json)


@cluster_app.command("stop")
def cluster_stop(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)],
    ledger: LedgerOption = None,
) -> None:
    """Stop a run on all workers. What is in flight settles; run it again to go on."""
    from bulk_cancel.cli.cluster import stop_command

    stop_command(run_id, ledger)


config_app = typer.Typer(help="See the settings of a run.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@config_app.command("show")
@with_job_options
def config_show(source: Source, **flags: object) -> None:
    """Show each setting, its value and where it came from. Takes the options of run; sends nothing."""
    from bulk_cancel.cli.config import show_command

    show_command(source, flags)


@app.command()
@with_reading_options
def sandbox(  # noqa: PLR0913 - options of a command
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8717,
    count: Annotated[int, typer.Option(help="How many appointments to make up.")] = 200,
    seed: Annotated[str, typer.Option(metavar="SOURCE", help="Serve the ids of this input, or job file.")] = "",
    faults: Annotated[str, typer.Option(metavar="SPEC", help="E.g. cut-after=0.1,502-before=0.05,429=0.02")] = "",
    rate: Annotated[str, typer.Option(metavar="N/s|N/min", help="The limit it enforces.")] = "100/min",
    burst: Annotated[int, typer.Option(help="Requests it allows at once.")] = 200,
    any_caller: Annotated[
        bool, typer.Option("--any-caller", help="Take any rgo-… token, each with its limit.")
    ] = False,
    **reading: object,
) -> None:
    """Serve a local stand-in for the API, to rehearse with. Needs the extra [sandbox]."""
    from bulk_cancel.cli.sandbox import sandbox_command

    given: Values = {"port": port, "count": count, "faults": faults, "rate": rate, "burst": burst}
    sandbox_command(seed, reading, any_personal_token=any_caller, **given)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--in", help="Where ledger and results of the demo go.")] = Path(".demo"),
) -> None:
    """Run the sample job twice against a sandbox. No account, no mail, a few seconds."""
    from bulk_cancel.cli.sandbox import demo_command

    demo_command(folder)


def main() -> None:
    """Run the command line; turn our errors into a message, advice and an exit code."""
    prepare_streams()
    try:
        app(prog_name="bulk-cancel")
    except BulkCancelError as error:
        _complain(error)
        _leave(error.exit_code)
    except OSError as error:
        what = f"{error.filename} cannot be used" if error.filename else "The output cannot be written"
        _complain(OutputError(f"{what}: {error.strerror}."))
        _leave(Exit.DISK)
    except Exception:
        from bulk_cancel.core.text import printable, redact

        # Python's traceback shows no local variables; messages may still carry what they should not.
        print(redact(printable(traceback.format_exc(), longest=100_000)), file=sys.stderr)
        _complain(BulkCancelError("This is a bug of bulk-cancel.", advice="Please report it with the lines above."))
        _leave(Exit.BUG)


def _complain(error: BulkCancelError) -> None:
    from bulk_cancel.core.text import printable

    with suppress(OSError):
        print(f"bulk-cancel: {printable(str(error))}", file=sys.stderr)
        if error.advice:
            print(f"  {printable(error.advice)}", file=sys.stderr)


def _leave(code: Exit) -> None:
    """End without Python's own complaint about a closed stdout."""
    try:
        sys.stdout.flush()
    except (OSError, OutputError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(int(code))
