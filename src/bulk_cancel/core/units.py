"""Reading durations and rates as people write them, and writing durations for people."""

from __future__ import annotations

import math
import re

from bulk_cancel.core.text import counted

#: From long to short, each at most once: what people write, and what `show_duration` and `about` write.
_UNITS = (
    ("d", "d|days?", 86400.0),
    ("h", "h|hrs?|hours?", 3600.0),
    ("m", "m|mins?|minutes?", 60.0),
    ("s", "s|secs?|seconds?", 1.0),
    ("ms", "ms", 0.001),
)
_DURATION = re.compile(r" ?".join(rf"(?:(?P<{name}>\d+(?:\.\d+)?) ?(?:{words}))?" for name, words, _ in _UNITS))
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|sec|second|min|m|minute|h|hour)")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Read `30s`, `2h30m`, `1 h 5 min`, `500ms`, `2 days` or plain seconds as seconds. Raises ValueError."""
    wanted = " ".join(text.lower().split())
    match = _DURATION.fullmatch(wanted)
    if _PLAIN.fullmatch(wanted):
        seconds = float(wanted)
    elif wanted and match:
        seconds = sum(float(match[name] or 0) * unit_s for name, _, unit_s in _UNITS)
    else:
        raise ValueError(f'"{text}" is not a duration; write for example 30s, 10m or 2h30m')
    if math.isinf(seconds):
        raise ValueError("the duration is too long; write for example 30s, 10m or 2h30m")
    return seconds


def parse_rate(text: str) -> float:
    """Read `40/s`, `100/min` or `3000/h` as requests per second, above 0. Raises ValueError."""
    match = _RATE.fullmatch(text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise ValueError(f'"{text}" is not a rate; write for example 100/min or 2/s')
    return float(match[1]) / _PER[match[2][0]]


def show_duration(seconds: float) -> str:
    """Write seconds for people: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def about(seconds: float) -> str:
    """Write an estimate in seconds for people: `a moment`, `about 1 minute`, `about 2 hours 50 minutes`."""
    if seconds < 55:
        return "a moment" if seconds < 5 else "less than a minute"
    minutes = round(seconds / 60) if seconds < 3570 else 5 * round(seconds / 300)
    if minutes >= 2880:
        minutes = 60 * round(seconds / 3600)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24) if hours >= 48 else (0, hours)
    parts = ((days, "day"), (hours, "hour"), (minutes, "minute"))
    return f"about {' '.join(counted(count, word) for count, word in parts if count)}"
