"""Tells people how a run ended, by apprise: mail, chat, telephone. Needs the extra [notify].

A failure is logged and changes nothing about the run. The addresses hold passwords and tokens, so no message contains
one, and apprise's own log, which would, is silenced.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from bulk_cancel.core.text import clean, printable, redact
from bulk_cancel.core.units import show_duration
from bulk_cancel.errors import ConfigError
from bulk_cancel.ops.notice import RunEnding

if TYPE_CHECKING:
    from apprise import Apprise

#: Seconds to wait for all notifications together. A supervisor's stop timeout has to be longer.
LONGEST_S = 15.0


class Notifier:
    """The addresses to notify. Raises ConfigError for an address that apprise rejects, and when apprise is missing."""

    def __init__(self, addresses: Sequence[str], longest_s: float = LONGEST_S) -> None:
        if importlib.util.find_spec("apprise") is None:
            raise ConfigError("The notifications are not installed.", advice='In the checkout: pip install ".[notify]"')
        from apprise import Apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._longest_s = longest_s
        self._receivers = [Apprise() for _ in addresses]
        for number, (receiver, address) in enumerate(zip(self._receivers, addresses, strict=True), start=1):
            if not receiver.add(address):
                raise ConfigError(
                    f"Address {number} of notify is not one that apprise knows.",
                    advice="See apprise's list of services. Nothing was sent.",
                )

    def tell(self, ending: RunEnding, log: FilteringBoundLogger) -> None:
        """Notify all addresses at once, and wait for at most `longest_s` seconds in all. Never raises."""
        text = (title_of(ending), body_of(ending), "failure" if ending.exit_code else "success")
        told: list[int] = []
        # Daemon threads: one that hangs does not keep the process alive.
        threads = [
            threading.Thread(target=_tell, args=(receiver, number, text, told), daemon=True)
            for number, receiver in enumerate(self._receivers, start=1)
        ]
        for thread in threads:
            thread.start()
        give_up_at = time.monotonic() + self._longest_s
        for thread in threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))
        for number in {*range(1, len(threads) + 1)} - {*told}:
            log.warning("notify.failed", address_no=number, hint="it was not notified; the run is not affected")


def _tell(receiver: Apprise, number: int, text: tuple[str, str, str], told: list[int]) -> None:
    try:
        if receiver.notify(title=text[0], body=text[1], notify_type=text[2]):
            told.append(number)
    except Exception:  # noqa: S110 - a plugin may raise anything; `tell` logs each number that is not in `told`
        pass


def title_of(ending: RunEnding) -> str:
    """Return one line: which job, and how it ended."""
    return f"bulk-cancel {clean(ending.job)}: exit {int(ending.exit_code)}"


def body_of(ending: RunEnding) -> str:
    """Return the message: counts, what to do, and where the results are."""
    lines = [f"{count} {status}" for status, count in ending.counts.items() if count]
    lines += [ending.sentence, ""]
    lines += [f"Run {ending.run_id}, {show_duration(ending.elapsed_s)}"] if ending.run_id else []
    lines += [f"Results: {ending.out}"] if ending.out else []
    return redact(printable("\n".join(lines).strip()))
