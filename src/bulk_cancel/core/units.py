"""Reads durations and rates as people write them."""

from __future__ import annotations

import math
import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|sec|second|min|m|minute|h|hour)")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Read `30s`, `10m`, `2h`, `500ms`, `1d` or plain seconds as seconds. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f'"{text}" is no duration; write for example 30s, 10m or 2h')
    seconds = float(match[1]) * _SECONDS[match[2]]
    if math.isinf(seconds):
        raise ValueError("that is longer than any number can say; write for example 30s, 10m or 2h")
    return seconds


def parse_rate(text: str) -> float:
    """Read `40/s`, `100/min` or `3000/h` as requests per second, above 0. Raises ValueError."""
    match = _RATE.fullmatch(text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise ValueError(f'"{text}" is no rate; write for example 100/min or 2/s')
    return float(match[1]) / _PER[match[2][0]]


def show_duration(seconds: float) -> str:
    """Write seconds as a person would say them: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
