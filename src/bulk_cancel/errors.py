"""The errors a person may see. Each has the exit code that it ends the command with and, where there is any, advice.

BulkCancelError                   1 BUG: never raised as itself
  InputError                     65 BAD_INPUT
    NoRowsError                  65
    PlanError                    65
  InputMissingError              66 NO_INPUT
  UsageError                      2 USAGE
  ConfigError                    78 CONFIG
  CredentialError                77 CREDENTIAL
  UnreachableError               69 UNREACHABLE
    NoAnswerError                69 UNREACHABLE
  LedgerError                    78 CONFIG
    LedgerCreateError            73 CANNOT_CREATE
    LedgerDiskError              74 DISK
    LedgerUnreachableError       69 UNREACHABLE
    LedgerLostError               5 STOPPED
    LostChunkError               78
  LockedError                    75 LOCKED
  OutputError                    74 DISK
  PlanWriteError                 74 DISK
  ReportError                    74 DISK
  DeclinedError                   5 STOPPED
    NotApprovedError              5
  OutOfFilesError                 5 STOPPED
  IncompleteError                 4 UNKNOWN
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Self

#: Advice about an input that does not exist.
MISSING = "Nothing was sent. Check the name and the current folder."


class Exit(IntEnum):
    """Exit codes of every command, each with what it means. The README's table is checked against this enum."""

    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> Self:
        """Make a member that is a number with its meaning."""
        member = int.__new__(cls, code)
        member._value_, member.meaning = code, meaning
        return member

    OK = 0, "every row final and good"
    BUG = 1, "a bug of bulk-cancel"
    USAGE = 2, "the command line is wrong, or nobody could be asked"
    REFUSED_ROWS = (
        3,
        "finished; a person has to look at rows: refused, invalid, not as approved, cancelled with a warning, "
        "or never settled by a read",
    )
    UNKNOWN = 4, "finished; the outcome of some cancels is not known, or a part of the API's data could not be read"
    STOPPED = 5, "stopped early, or some rows could not be sent: run it again"
    BAD_INPUT = 65, "the input cannot be used"
    NO_INPUT = 66, "the input does not exist"
    UNREACHABLE = 69, "the API, or the ledger's database, could not be reached before the first cancel"
    CANNOT_CREATE = 73, "the ledger cannot be created"
    DISK = 74, "the disk (or stdout) refused a write"
    LOCKED = 75, "another run holds the ledger or the credential"
    CREDENTIAL = 77, "the API refused the credential"
    CONFIG = 78, "a setting is missing or wrong, or the ledger is not this API's"
    INTERRUPTED = 130, "stopped at once by Ctrl-C (a run: by the second Ctrl-C)"


#: Codes with which the same command would end again: a person has to correct something first, so schedulers need not
#: try again.
PERMANENT = frozenset(
    {
        Exit.USAGE,
        Exit.REFUSED_ROWS,
        Exit.BAD_INPUT,
        Exit.NO_INPUT,
        Exit.CANNOT_CREATE,
        Exit.CREDENTIAL,
        Exit.CONFIG,
    }
)


class BulkCancelError(Exception):
    """An error that a person can act on: what happened (the message), and what to do next (`advice`)."""

    exit_code = Exit.BUG

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class InputError(BulkCancelError):
    """The input cannot be used: unreadable, no id column, no rows."""

    exit_code = Exit.BAD_INPUT


class NoRowsError(InputError):
    """The input has a header and no rows."""


class PlanError(InputError):
    """The plan file cannot be carried out: it is not a plan, damaged, expired, or not the approved one."""


class InputMissingError(BulkCancelError):
    """The input does not exist."""

    exit_code = Exit.NO_INPUT


class UsageError(BulkCancelError):
    """The command line is wrong."""

    exit_code = Exit.USAGE


class ConfigError(BulkCancelError):
    """A setting is missing, wrong or contradicts another."""

    exit_code = Exit.CONFIG


class CredentialError(BulkCancelError):
    """The API refused the credential."""

    exit_code = Exit.CREDENTIAL


class UnreachableError(BulkCancelError):
    """The API could not be reached before the first cancel."""

    exit_code = Exit.UNREACHABLE


class NoAnswerError(UnreachableError):
    """The API gave no answer to one question, after all attempts; it may answer others. `why` is a clause."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"The API does not show {what}: {why}.", advice="Nothing was changed. Try again later.")
        self.why = why


class LedgerError(BulkCancelError):
    """The ledger cannot be used: foreign, damaged, newer, or of another account."""

    exit_code = Exit.CONFIG


class LedgerCreateError(LedgerError):
    """The ledger cannot be created."""

    exit_code = Exit.CANNOT_CREATE


class LedgerDiskError(LedgerError):
    """The disk refused a read or a write of the ledger."""

    exit_code = Exit.DISK


class LedgerUnreachableError(LedgerError):
    """The database of the ledger could not be reached before the first cancel."""

    exit_code = Exit.UNREACHABLE


class LedgerLostError(LedgerError):
    """The connection to the ledger's database was lost during the run."""

    exit_code = Exit.STOPPED


class LostChunkError(LedgerError):
    """Another worker has taken the chunk over, or it has ended: nothing of the call was written."""


class LockedError(BulkCancelError):
    """Another run holds the ledger or the credential."""

    exit_code = Exit.LOCKED


class IncompleteError(BulkCancelError):
    """Appointments may be missing from what was read."""

    exit_code = Exit.UNKNOWN


class OutputError(BulkCancelError):
    """stdout is closed or full, or the disk refused a file."""

    exit_code = Exit.DISK


class PlanWriteError(BulkCancelError):
    """The disk refused to hold a plan file."""

    exit_code = Exit.DISK

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(
            f"The plan cannot be written to {path}: {cause.strerror or cause}.",
            advice="Nothing was sent. Name another file, or make room on the disk, and plan again.",
        )


class ReportError(BulkCancelError):
    """The disk refused to hold a file of the run."""

    exit_code = Exit.DISK

    def __init__(self, folder: Path, cause: object) -> None:
        super().__init__(
            f"the files of the run cannot be written to {folder}: {cause}",
            advice="What was recorded is in the ledger: make room, then write them again with `bulk-cancel report`.",
        )


class DeclinedError(BulkCancelError):
    """A limit was exceeded, or, as NotApprovedError, the person declined. Nothing was sent or recorded."""

    exit_code = Exit.STOPPED


class NotApprovedError(DeclinedError):
    """The person who was asked declined."""

    def __init__(self) -> None:
        super().__init__("Nothing was sent.")


class OutOfFilesError(BulkCancelError):
    """This process has reached its limit of open files, and each connection takes one."""

    exit_code = Exit.STOPPED

    def __init__(self) -> None:
        super().__init__(
            "This machine lets the program have no more files open (ulimit -n), and each connection takes one.",
            advice="Lower --concurrency, or raise the limit, and run again: nothing is sent twice.",
        )
