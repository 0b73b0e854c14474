"""The entry point of `bulk-cancel` and `python -m bulk_cancel`: a Ctrl-C outside of any command ends it quietly."""

import os
from contextlib import suppress
from typing import NoReturn


def main() -> None:
    """Load the command line and run it. Until it is loaded nothing but Python itself can be relied on."""
    try:
        from bulk_cancel.cli.main import main as run
    except KeyboardInterrupt:
        _stop("Nothing was sent.")
    try:
        run()
    except KeyboardInterrupt:
        _stop("Nothing is lost: type the same command again.")


def _stop(told: str) -> NoReturn:
    """End at once: one more Ctrl-C would find Python itself in the middle of cleaning up, and show where."""
    with suppress(OSError):
        os.write(2, f"bulk-cancel: Stopped by Ctrl-C.\n  {told}\n".encode("ascii"))
    os._exit(130)


if __name__ == "__main__":
    main()
