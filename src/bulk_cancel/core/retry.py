"""How long to wait before sending again. Only the duration is decided here; the engine waits."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from bulk_cancel.core.units import show_duration

#: For a longer pause the run stops instead of waiting silently.
LONGEST_PAUSE_S = 15 * 60.0
#: A Retry-After is cut to this: a mistaken number must not stop every later run.
LONGEST_WISH_S = 24 * 3600.0
SHORTEST_PAUSE_S = 1.0
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header (RFC 9110: seconds or an HTTP date) as seconds from `now`, at most a day.

    `now` is the server's time in seconds since the epoch. None when the header is missing, neither a number nor a date,
    negative or in the past: then the caller decides how long to wait.
    """
    if value is None:
        return None
    seconds, date = parse_seconds(value), parse_date(value.strip())
    if seconds is None and date is not None:
        seconds = date - now
    return min(seconds, LONGEST_WISH_S) if seconds is not None and seconds >= 0 else None


def is_long_pause(wait_s: float, span_s: float) -> bool:
    """Return whether no run waits for a pause of `wait_s` seconds; a burst of the limit takes `span_s` seconds."""
    return wait_s > LONGEST_PAUSE_S + span_s


def show_long_pause(left_s: float) -> str:
    """Return a sentence on a pause of `left_s` seconds, which is too long for a run to wait."""
    left = "a day or longer (a day is kept)" if left_s >= LONGEST_WISH_S else show_duration(left_s)
    return f"The API asks to wait {left}; until then every run stops at once."


def parse_seconds(value: str) -> float | None:
    """Read the seconds of an HTTP header, which some servers write with decimals; None when it is not a number."""
    return float(value.strip()[:15]) if _SECONDS.fullmatch(value.strip()) else None


def parse_date(value: str) -> float | None:
    """Read the date of an HTTP header (without a zone: UTC) as seconds since the epoch; None when it is not a date."""
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def throttle_pause_s(retry_after_s: float | None, throttles_in_a_row: int, jitter: float) -> float:
    """Return how many seconds every worker pauses after a 429.

    What the server asks for, else 2, 4, 8 … 60 s. `jitter` (0 to 1) adds up to a quarter, so that several programs that
    share the key do not resume at the same moment.
    """
    wish = retry_after_s if retry_after_s is not None else min(60.0, 2.0 ** min(throttles_in_a_row, 6))
    return max(SHORTEST_PAUSE_S, wish) * (1 + jitter / 4) if wish <= LONGEST_PAUSE_S else wish
