"""The entry point: the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

import click

from bulk_cancel.cli.app import app
from bulk_cancel.cli.streams import prepare_streams
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.errors import BulkCancelError, Exit, OutOfFilesError, OutputError, UsageError
from bulk_cancel.ops.platforms import refuse_unreadable, refuse_windows

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; turn our errors into a message, advice and an exit code."""
    prepare_streams()
    _end_by_sigterm()
    try:
        refuse_windows()
        refuse_unreadable(sys.argv[1:], os.environ)
        code = app.main(prog_name="bulk-cancel", standalone_mode=False)
    except BulkCancelError as error:
        _complain(error)
        _leave(error.exit_code)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "bulk-cancel"
        _complain(UsageError(error.format_message(), advice=f"See: {where} -h"))
        _leave(Exit.USAGE)
    except click.Abort:
        _complain(BulkCancelError("Stopped by Ctrl-C.", advice="Nothing is lost: type the same command again."))
        _leave(Exit.INTERRUPTED)
    except OSError as error:
        refused = _refused(error)
        _complain(refused)
        _leave(refused.exit_code)
    except Exception:
        import traceback

        from bulk_cancel.core.text import printable, redact

        # Python's traceback shows no local variables, but messages may contain secrets or addresses.
        print(redact(printable(traceback.format_exc(), longest=100_000)), file=sys.stderr)
        _complain(BulkCancelError("This is a bug of bulk-cancel.", advice="Please report it with the lines above."))
        _leave(Exit.BUG)
    _leave(code or Exit.OK)


def _end_by_sigterm() -> None:
    """Handle SIGTERM as the first process of a container, which the kernel does not end by an unhandled signal."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def _refused(error: OSError) -> BulkCancelError:
    """Return the error for a system error: what failed, and of which file."""
    from bulk_cancel.ops.descriptors import is_out_of_files

    if is_out_of_files(error):
        return OutOfFilesError()
    what = f"{error.filename} cannot be used" if error.filename else "The output cannot be written"
    return OutputError(f"{what}: {error.strerror or error}.")


def _complain(error: BulkCancelError) -> None:
    from bulk_cancel.core.known_secrets import blotted
    from bulk_cancel.core.text import printable

    with suppress(OSError):
        advice = [f"  {printable(error.advice)}"] if error.advice else []
        Terminal(err=True).print(*map(blotted, [f"bulk-cancel: {printable(str(error))}", *advice]))


def _leave(code: int) -> NoReturn:
    """Flush stdout and exit; success becomes an error when its data are lost."""
    try:
        sys.stdout.flush()
    except (OSError, OutputError) as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python itself would complain, too
        if code == Exit.OK:
            refused = _refused(error) if isinstance(error, OSError) else error
            _complain(refused)
            code = refused.exit_code
    raise SystemExit(int(code))
