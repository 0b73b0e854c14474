"""How long to wait before sending again. Decisions are values; who waits, and how, is the engine's matter."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from bulk_cancel.core.units import show_duration

#: Too Many Requests: the key's limit is spent.
THROTTLED = 429
#: Above this the run stops instead of waiting: the server asks for more patience than a job should silently have.
LONGEST_PAUSE_S = 15 * 60.0
#: Of a wish no more is kept than this: a number that nobody meant must not stop every run to come.
LONGEST_WISH_S = 24 * 3600.0
SHORTEST_PAUSE_S = 1.0


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header (RFC 9110: seconds or an HTTP date) as seconds from `now`, at most a day.

    `now` is what time the server has, seconds since the epoch. None when the header is missing, no number, no date,
    negative or in the past: then the caller's own timing holds.
    """
    if value is None:
        return None
    seconds = _as_number(value.strip())
    if seconds is None:
        seconds = _as_date(value.strip(), now)
    return min(seconds, LONGEST_WISH_S) if seconds is not None and seconds >= 0 else None


def show_long_pause(left_s: float) -> str:
    """Say what is left of a pause that is too long for a run to wait, a sentence."""
    left = "a day or longer, of which a day is kept" if left_s >= LONGEST_WISH_S else show_duration(left_s)
    return f"The API asks to wait {left}; until then every run stops at once."


def _as_number(value: str) -> float | None:
    return float(value[:15]) if value.isascii() and value.isdigit() else None


def _as_date(value: str, now: float) -> float | None:
    date = parse_date(value)
    return None if date is None else date - now


def parse_date(value: str) -> float | None:
    """Read the date of an HTTP header, seconds since the epoch; None when it is none. Without a zone it is UTC."""
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def throttle_pause_s(retry_after_s: float | None, throttles_in_a_row: int, jitter: float) -> float:
    """Return how long everyone pauses after a 429.

    The server's own wish, else 2, 4, 8 … 60 s. `jitter` (0 to 1) adds up to a quarter, so that several programs that
    share the key do not come back together.
    """
    wish = retry_after_s if retry_after_s is not None else min(60.0, 2.0 ** min(throttles_in_a_row, 6))
    return max(SHORTEST_PAUSE_S, wish) * (1 + jitter / 4) if wish <= LONGEST_PAUSE_S else wish
