"""Coordinates of the bars and lines of the charts, in units of a drawing that is scaled to its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bulk_cancel.core.moments import Zone, show_moment
from bulk_cancel.core.pacing import Pace

T = TypeVar("T")

WIDTH = 1000.0
HEIGHT = 100.0
#: Most intervals of a timeline, and the durations that an interval may have, in seconds.
_MOST_BARS = 60
_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
#: Smallest width of a part, so that each is visible.
_THINNEST = 6.0


@dataclass(frozen=True, slots=True)
class Segment(Generic[T]):
    """A part of a bar."""

    kind: T
    count: int
    percent: str
    x: float
    width: float


def segments(counts: Sequence[tuple[T, int]]) -> list[Segment[T]]:
    """Divide a bar among counts; zeros get no part."""
    parts = [(kind, count) for kind, count in counts if count]
    total = sum(count for _, count in parts)
    shares = [max(_THINNEST, WIDTH * count / total) for _, count in parts]
    scale = WIDTH / sum(shares) if shares else 1.0
    made, x = [], 0.0
    percents = _percents([count for _, count in parts])
    for (kind, count), share, percent in zip(parts, shares, percents, strict=True):
        made.append(Segment(kind, count, percent, round(x, 2), round(share * scale, 2)))
        x += share * scale
    return made


def _percents(counts: Sequence[int]) -> list[str]:
    """Return the whole percents of counts, which are not 0, so that they add up to 100.

    What is left after rounding down goes to the largest remainders. "under 1 %" takes its share, rounded up for all
    such parts together, so that no part beside another one is "100 %".
    """
    total = sum(counts)
    small = sum(count for count in counts if 100 * count < total)
    left = 100 - -(-100 * small // total) if total else 0
    percents = [100 * count // total for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda place: -(100 * counts[place] % total))
    large = [place for place in by_remainder if percents[place]]
    for place in large[: left - sum(percents)]:
        percents[place] += 1
    return [f"{percent} %" if percent else "under 1 %" for percent in percents]


@dataclass(frozen=True, slots=True)
class Bar:
    """The sends of one interval, as a rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Sends over time against what the limit allowed."""

    bars: Sequence[Bar]
    limit: str  #: points of the limit's line; empty when the limit is not known
    top: int  #: the count at the upper edge
    busiest: int  #: the most sends in one interval
    total: int
    width_s: float  #: of an interval
    first: str  #: the moments at both ends, for people
    last: str


def interval_s(duration_s: float) -> float:
    """Return the seconds of an interval, so that a timeline of this duration has at most 60."""
    fitting = (width for width in _WIDTHS_S if duration_s < width * _MOST_BARS)
    return float(next(fitting, -(-duration_s // (_MOST_BARS - 1))))


def timeline(span: tuple[float, float], sends: Iterable[tuple[int, int]], pace: Pace | None, zone: Zone) -> Timeline:
    """Return a timeline of sends, counted by interval, with the most that the limit allowed in each."""
    width_s = interval_s(span[1] - span[0])
    counts = _by_interval(sends)
    bar_count = max(counts) + 1
    allowed = _allowed(counts, bar_count, width_s, pace) if pace else []
    busiest = max(counts.values())
    top = max(busiest, *(int(most) for most in allowed), 1)
    step = WIDTH / bar_count
    return Timeline(
        bars=[_bar(number, count, step, top) for number, count in sorted(counts.items())],
        limit=" ".join(f"{x:.1f},{y:.1f}" for x, y in _steps(allowed, step, top)),
        top=top,
        busiest=busiest,
        total=sum(counts.values()),
        width_s=width_s,
        first=show_moment(span[0], zone),
        last=show_moment(span[1], zone),
    )


def _by_interval(sends: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return the sends by interval; those outside, after a clock was set, count in the first or last."""
    counts: dict[int, int] = {0: 0}
    for number, count in sends:
        place = min(max(number, 0), _MOST_BARS - 1)
        counts[place] = counts.get(place, 0) + count
    return counts


def _allowed(counts: Mapping[int, int], bar_count: int, width_s: float, pace: Pace) -> list[float]:
    """Return an upper bound of the sends that the limit allowed in each interval, given those before it."""
    made, tokens = [], float(pace.burst)
    for number in range(bar_count):
        made.append(tokens + pace.rate_per_s * width_s)
        tokens = min(float(pace.burst), max(0.0, made[-1] - counts.get(number, 0)))
    return made


def _bar(number: int, count: int, step: float, top: int) -> Bar:
    height = HEIGHT * count / top
    return Bar(
        round(number * step + step * 0.08, 2), round(HEIGHT - height, 2), round(step * 0.84, 2), round(height, 2)
    )


def _steps(allowed: Sequence[float], step: float, top: int) -> Iterable[tuple[float, float]]:
    for number, most in enumerate(allowed):
        y = HEIGHT - HEIGHT * most / top
        yield number * step, max(y, 0.0)
        yield (number + 1) * step, max(y, 0.0)
