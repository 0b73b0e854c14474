"""The options that `run` and `plan` share, in one table. Each is a job file key and a BULK_CANCEL_ variable, too."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import typer

LEDGER_HELP = "The ledger: a file, or postgresql://… Default: in your state folder, one per API address."


@dataclass(frozen=True, slots=True)
class JobOption:
    """One option. The job's model validates the value: everything but flags and repeatables arrives as text."""

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str | None = None  #: None: a flag without a value
    repeatable: bool = False

    def parameter(self) -> inspect.Parameter:
        """Return it as a typer parameter."""
        kind = bool | None if self.metavar is None else list[str] | None if self.repeatable else str | None
        option = typer.Option(*self.flags, help=self.help, metavar=self.metavar, show_default=False)
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
        )


JOB_OPTIONS = (
    JobOption("reason", ("--reason",), "Reason for rows without one; it is printed in the mails.", "TEXT"),
    JobOption("missing_input", ("--missing-input",), "ok: no input means nothing to do. (default: error)", "error|ok"),
    JobOption("timezone", ("--timezone",), "Whose days and hours. (default: this machine's)", "ZONE"),
    JobOption(
        "map", ("--map",), "Read FIELD from COLUMN, e.g. appointment_id=Termin.", "FIELD=COLUMN", repeatable=True
    ),
    JobOption("hidden_rows", ("--hidden-rows",), "Rows that a sheet hides: leave them out, or not.", "skip|include"),
    JobOption("encoding", ("--encoding",), "Of a CSV text that is not UTF-8, e.g. cp1252.", "NAME"),
    JobOption("cancel_all", ("--cancel-all/--no-cancel-all",), "Cancel group bookings for everyone in them."),
    JobOption("user_id", ("--user-id",), "Act as this user (Platform API keys only).", "UUID"),
    JobOption("accounts", ("--accounts",), "Several credentials, each with its own limit: a TOML file.", "FILE"),
    JobOption("account", ("--account",), "The account of rows that name none.", "NAME"),
    JobOption("rate", ("--rate",), "The key's limit. (default: 100/min)", "N/s|N/min"),
    JobOption("burst", ("--burst",), "Requests the limit allows at once. (default: 200)", "N"),
    JobOption("concurrency", ("--concurrency",), "Cancels in flight at most. (default: 16)", "N"),
    JobOption("timeout", ("--timeout",), "For one whole exchange. (default: 30s)", "DUR"),
    JobOption("max_attempts", ("--max-attempts",), "Sends per target, if proven not applied. (default: 5)", "N"),
    JobOption(
        "settle",
        ("--settle",),
        "How long an unanswered cancel may still be applied; at least 60s. (default: 10m)",
        "DUR",
    ),
    JobOption("live", ("--live/--no-live",), "Read every target's present state before anything is decided."),
    JobOption("skip_past", ("--skip-past/--no-skip-past",), "Leave out what has started, if known. (default: yes)"),
    JobOption("late_within", ("--late-within",), "Leave out what starts within this time, if known.", "DUR"),
    JobOption("max_cancel", ("--max-cancel",), "Stop before the first cancel if there are more.", "N"),
    JobOption("canary", ("--canary",), "Cancel N, verify each by a read, then go on.", "N"),
    JobOption("send_window", ("--send-window",), "Send in these hours only.", '"08:00-20:00 Europe/Berlin"'),
    JobOption("outside_window", ("--outside-window",), "What to do outside of them. (default: wait)", "wait|stop"),
    JobOption("rebooking_list", ("--rebooking-list/--no-rebooking-list",), "Write whom to call: names, addresses."),
    JobOption("excel", ("--excel/--no-excel",), "Write results.xlsx as well."),
    JobOption("plan_file", ("--plan-file", "-o"), "plan: write what was planned here, to be approved.", "FILE"),
    JobOption("plan_ttl", ("--plan-ttl",), "plan: how long the file may be carried out. (default: 24h)", "DUR"),
    JobOption("expect_digest", ("--expect-digest",), "run: only the approved plan, by its digest.", "DIGEST"),
    JobOption("check_drift", ("--check-drift/--no-check-drift",), "run: read again, leave out what changed since."),
    JobOption("look_first", ("--look-first/--no-look-first",), "Read every appointment before its cancel."),
    JobOption(
        "retry_refused",
        ("--retry-refused/--no-retry-refused",),
        "Take up again what was refused longer ago than --settle; each is read first.",
    ),
    JobOption("wait", ("--wait/--no-wait",), "Stay until unknown outcomes are settled."),
    JobOption("max_errors", ("--max-errors",), "Halt when more targets are refused.", "N|N%"),
    JobOption("lock_wait", ("--lock-wait",), "Wait so long for another run to end. (default: 0s)", "DUR"),
    JobOption("max_duration", ("--max-duration",), "Send no longer than this; then stop, rows left.", "DUR"),
    JobOption("deadline", ("--deadline",), "Send nothing from then on, today or on a day.", "HH:MM|DATETIME"),
    JobOption("ledger", ("--ledger",), LEDGER_HELP, "PATH|URL"),
    JobOption("engine", ("--engine",), "dbos: workers carry it out, over a PostgreSQL ledger.", "local|dbos"),
    JobOption("chunk", ("--chunk",), "Rows that a worker takes at once, with dbos. (default: 250)", "N"),
    JobOption("out", ("--out",), "Folder of the result files. (default: runs/<run-id>)", "DIR"),
    JobOption("yes", ("--yes/--no-yes", "-y"), "Do not ask."),
    JobOption("json", ("--json/--no-json",), "Print the summary as one JSON document."),
    JobOption("quiet", ("--quiet/--no-quiet", "-q"), "No progress; only warnings and errors."),
    JobOption("log_format", ("--log-format",), "How log lines on stderr look. (default: auto)", "auto|console|json"),
    JobOption("log_file", ("--log-file",), "Write the full log here, as JSON lines.", "PATH"),
    JobOption("metrics_file", ("--metrics-file",), "Write metrics for Prometheus here. Extra [metrics].", "PATH"),
    JobOption("notify_on", ("--notify-on",), "When to notify. (default: failure,unknown,halt)", "EVENTS"),
)

Command = Callable[..., None]


#: What decides how an input is read.
READING_OPTIONS = ("map", "hidden_rows", "encoding")
#: What a worker takes of a job: the rest travels with the run.
WORKER_OPTIONS = (
    "accounts",
    "rate",
    "burst",
    "concurrency",
    "timeout",
    "user_id",
    "ledger",
    "quiet",
    "log_format",
    "log_file",
)


@cache
def _parameters(names: tuple[str, ...]) -> tuple[inspect.Parameter, ...]:
    """Make the parameters once for all commands: `--help` waits for this."""
    return tuple(option.parameter() for option in JOB_OPTIONS if not names or option.name in names)


def with_job_options(command: Callable[..., None], names: tuple[str, ...] = ()) -> Command:
    """Give a command the shared options, or some of them, as keyword parameters; it receives them as `**flags`."""
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]

    def wrapper(**values: Any) -> None:
        command(**values)

    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *_parameters(names))]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper


def with_reading_options(command: Callable[..., None]) -> Command:
    """Give a command the options that decide how an input is read."""
    return with_job_options(command, READING_OPTIONS)


def with_worker_options(command: Callable[..., None]) -> Command:
    """Give a command the options of a worker."""
    return with_job_options(command, WORKER_OPTIONS)
