"""The entry point: the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from bulk_cancel.cli.app import app
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.errors import BulkCancelError, Exit, OutputError, UsageError

__all__ = ["app", "main"]

#: How a shell tells that Ctrl-C ended a program.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line; turn our errors into a message, advice and an exit code."""
    _replace_closed_streams()
    try:
        code = app.main(prog_name="bulk-cancel", standalone_mode=False)
    except BulkCancelError as error:
        _complain(error)
        _leave(error.exit_code)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "bulk-cancel"
        _complain(UsageError(error.format_message(), advice=f"See: {where} -h"))
        _leave(Exit.USAGE)
    except click.Abort:
        raise SystemExit(_INTERRUPTED) from None
    except OSError as error:
        what = f"{error.filename} cannot be used" if error.filename else "The output cannot be written"
        _complain(OutputError(f"{what}: {error.strerror}."))
        _leave(Exit.DISK)
    except Exception:
        import traceback

        from bulk_cancel.core.text import redact

        # Python's traceback shows no local variables; messages may still carry what they should not.
        print(redact(traceback.format_exc()), file=sys.stderr)
        _complain(BulkCancelError("This is a bug of bulk-cancel.", advice="Please report it with the lines above."))
        _leave(Exit.BUG)
    _leave(code or Exit.OK)


def _replace_closed_streams() -> None:
    """Python has no object for a stream that is closed (`>&-`), and the next file would be opened in its place.

    What goes to such a stdout is an error, as on a full disk; such a stderr is silence.
    """
    for name, flags, mode in (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def _complain(error: BulkCancelError) -> None:
    with suppress(OSError):
        Terminal(err=True).print(f"bulk-cancel: {error}", *([f"  {error.advice}"] if error.advice else []))


def _leave(code: int) -> None:
    """End without Python's own complaint about a closed stdout."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(int(code))
