"""The options of a job, in one table. Each is also a key of a job file and a variable BULK_CANCEL_<NAME>.

An option belongs to the commands that use it, and no other command takes its flag. Two commands that share a flag
share the row of this table, and so the meaning.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from typing import Any

from bulk_cancel.cli.command import SHOWS_ALL, Option


class JobOption(Option):
    """An option that is a setting of the job, and the commands that use it.

    The job's model validates its value, which is a text, or a list, or a bool of a flag: that one has no metavar.
    """

    def __init__(self, name: str, commands: set[str], help: str, metavar: str | None = None, **rest: Any) -> None:
        flag = f"--{name.replace('_', '-')}"
        spelt = [rest.pop("short", ""), flag if metavar else f"{flag}/--no-{flag[2:]}"]
        kind, rest = str if metavar else bool, {"brief": False, **rest}
        super().__init__(
            [*filter(None, spelt), name],
            type=kind,
            is_flag=metavar is None,
            metavar=metavar,
            help=help,
            default=None,
            **rest,
        )
        self.commands = commands


_RUN, _PLAN = {"run"}, {"plan"}
_CANCELS = _RUN | _PLAN
_PACED = _CANCELS | {"reconcile", "find", "closed", "worker"}
_TIMED = _CANCELS | {"reconcile"}
_FOUND = _CANCELS | {"find", "closed"}
_SHOWS = {"show", "report", "status", "explain"}
_READS = _CANCELS | {"sandbox"}
_ON_LEDGERS = {"report", "status", "explain", "resolve", "doctor"}
_ON_LEDGERS |= {"ledger verify", "ledger backup", "ledger export", "ledger forget", "cluster status", "cluster stop"}
_AS_JSON = _PACED - {"worker"} | {"show", "report", "status", "doctor", "explain", "cluster status"}

_TABLE = {
    "What to cancel": (
        JobOption("reason", _CANCELS, "For rows without one; it is printed in the mails.", "TEXT", brief=True),
        JobOption("ticket", _CANCELS, "Why: kept with the run, mailed to nobody.", "TEXT"),
        JobOption("approved_by", _CANCELS, "Who approved it: kept with the run.", "NAME"),
        JobOption("missing_input", _CANCELS, "ok: no input means nothing to do. (default: error)", "error|ok"),
        JobOption("timezone", _TIMED | _FOUND | _SHOWS, "Zone of days and hours, e.g. Europe/Berlin.", "ZONE"),
        JobOption("map", _READS, "Read FIELD from COLUMN, e.g. appointment_id=Termin.", "FIELD=COLUMN", multiple=True),
        JobOption("hidden_rows", _READS, "Rows that a sheet hides: leave them out, or not.", "skip|include"),
        JobOption("encoding", _READS, "Of a CSV text that is not UTF-8, e.g. cp1252.", "NAME"),
        JobOption("cancel_all", _CANCELS, "Cancel group bookings for everyone in them."),
        JobOption("user_id", _PACED, "Act as this user (Platform API keys only).", "UUID"),
        JobOption("accounts", _PACED, "Several credentials, each with its own limit: a TOML file.", "FILE"),
        JobOption("account", _FOUND, "The account of rows, or of a search, that name none.", "NAME"),
    ),
    "Safety": (
        JobOption("dry_run", _RUN, "Only plan: as the command plan does.", short="-n", brief=True),
        JobOption(
            "look",
            _CANCELS,
            "Appointments to read before their cancels. (default: auto)",
            "auto|each|never",
            brief=True,
        ),
        JobOption(
            "retry_refused", _CANCELS, "Send again what was refused; each is read first, and waits for --settle."
        ),
        JobOption("skip_past", _CANCELS, "Leave out what has started, if known. (default: yes)"),
        JobOption("late_within", _CANCELS, "Leave out what starts within this time, if known.", "DUR"),
        JobOption("max_cancel", _RUN, "Stop before the first cancel if there are more.", "N", brief=True),
        JobOption("canary", _RUN, "Cancel N, verify each by a read, then go on.", "N", brief=True),
        JobOption("max_errors", _RUN, "Halt when more targets are refused.", "N|N%"),
        JobOption(
            "plan_file",
            _PLAN,
            "Write the plan to this file, to be approved, in place of an earlier plan.",
            "FILE",
            short="-o",
            brief=True,
        ),
        JobOption("plan_ttl", _PLAN, "How long the file may be carried out. (default: 24h)", "DUR"),
        JobOption("expect_digest", _CANCELS, "Take only the approved plan, by its whole digest.", "DIGEST"),
        JobOption(
            "settle",
            _TIMED - _PLAN,
            "How long an unanswered cancel may still be applied; at least 60s, less only against a sandbox on this "
            "machine. (default: 10m)",
            "DUR",
        ),
        JobOption("yes", _RUN, "Do not ask.", short="-y", brief=True),
    ),
    "Pace": (
        JobOption("rate", _PACED, "The key's limit. (default: 100/min)", "N/s|N/min"),
        JobOption("burst", _PACED, "Requests the limit allows at once. (default: 200)", "N"),
        JobOption("concurrency", _PACED - _PLAN - {"find", "closed"}, "Requests in flight at most. (default: 16)", "N"),
        JobOption("timeout", _PACED, "For one whole exchange. (default: 30s)", "DUR"),
        JobOption("max_attempts", _RUN, "Sends per target, if proven not applied. (default: 5)", "N"),
    ),
    "When": (
        JobOption("wait", _TIMED - _PLAN, "Stay until unknown outcomes are settled.", brief=True),
        JobOption("send_window", _CANCELS, 'Send then only, e.g. "08:00-20:00 Europe/Berlin".', "HOURS"),
        JobOption("outside_window", _CANCELS, "What to do outside of them. (default: wait)", "wait|stop"),
        JobOption("max_duration", _TIMED, "Stop after this time; what is left is for the next run.", "DUR"),
        JobOption("deadline", _TIMED, "Stop then, today or on a day.", "HH:MM|DATETIME", brief=True),
        JobOption("lock_wait", _TIMED | _FOUND, "Wait this long for another run to end. (default: 0s)", "DUR"),
    ),
    "Results": (
        JobOption(
            "out",
            _CANCELS | {"report", "closed"},
            "Folder of the result files. (default: runs/<id>)",
            "DIR",
            brief=True,
        ),
        JobOption(
            "show",
            _CANCELS | {"report"},
            "Show this column of the input beside the ids, in the plan and on the pages: personal data.",
            "COLUMN",
            multiple=True,
        ),
        JobOption("excel", _RUN | {"report"}, "Write results.xlsx as well."),
        JobOption("rebooking_list", _RUN, "Write a list of the people to call: names, addresses."),
        JobOption("notify_on", _RUN, "When to notify. (default: failure,unknown,halt)", "EVENTS"),
        JobOption("metrics_file", _RUN, "Write metrics for Prometheus here. Extra [metrics].", "PATH"),
    ),
    "Ledger and workers": (
        JobOption(
            "ledger", _PACED | _ON_LEDGERS, "A file or postgresql://… (default: one per API)", "PATH|URL", brief=True
        ),
        JobOption("engine", _TIMED - _PLAN, "dbos: workers carry it out, over a PostgreSQL ledger.", "local|dbos"),
        JobOption("chunk", _RUN, "Rows that a worker takes at once, with dbos. (default: 250)", "N"),
    ),
    "Output": (
        JobOption("json", _AS_JSON, "Print the result as one JSON document.", brief=True),
        JobOption("quiet", _PACED, "Warnings and errors only; progress on a terminal.", short="-q", brief=True),
        JobOption("log_format", _PACED, "auto, console or json: the log on stderr. (default: auto)", "FORMAT"),
        JobOption("log_file", _PACED, "Write the full log here, as JSON lines.", "PATH"),
    ),
}
for _heading, _options in _TABLE.items():
    for _option in _options:
        _option.heading = _heading
JOB_OPTIONS = tuple(option for options in _TABLE.values() for option in options)


def options_of(command: str, required: Collection[str] = ()) -> list[Option]:
    """Return the options of the table that a command uses. `config show` takes those of run and plan."""
    commands = _CANCELS if command == SHOWS_ALL else {command}
    return [
        _required(option) if option.name in required else option for option in JOB_OPTIONS if option.commands & commands
    ]


def _required(option: Option) -> Option:
    """Return an option as one command needs it, that the others may leave out."""
    needed = copy(option)
    needed.required = needed.brief = True
    return needed
