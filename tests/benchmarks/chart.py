"""Draws a bar chart as SVG: logarithmic, on a white card, so that it can be read on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, ROW = 860, 270, 90, 74, 34
OWN, OTHER, INK, FAINT, GRID = "#0b62a8", "#9aa5b1", "#1f2328", "#59636e", "#e3e7eb"


@dataclass(frozen=True)
class Bar:
    """One bar. `own` stands out."""

    label: str
    value: float
    own: bool = False


@dataclass(frozen=True)
class _Scale:
    """Powers of ten, from the one below the least value to the one above the largest."""

    low: int
    high: int

    @classmethod
    def of(cls, values: Sequence[float]) -> _Scale:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(low, max(high, low + 1))

    def x(self, value: float) -> float:
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)


def draw(title: str, description: str, bars: Sequence[Bar]) -> str:
    """Return the chart as an SVG document."""
    scale = _Scale.of([bar.value for bar in bars])
    height = TOP + ROW * len(bars) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="chart-title chart-description" font-family="system-ui, sans-serif">',
        f'<title id="chart-title">{escape(title)}</title>',
        f'<desc id="chart-description">{escape(description)}</desc>',
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="#ffffff" stroke="{GRID}"/>',
        _text(24, 34, title, size=17, weight=600),
        _text(24, 56, "logarithmic: each line is ten times the one before", colour=FAINT),
        *_grid(scale, height),
        *(part for number, bar in enumerate(bars) for part in _bar(scale, bar, TOP + ROW * number)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(scale: _Scale, height: int) -> Iterator[str]:
    for power in range(scale.low, scale.high + 1):
        x = scale.x(10.0**power)
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - 38}" stroke="{GRID}"/>'
        yield _text(x, height - 18, f"{10.0**power:,g}", anchor="middle", colour=FAINT)


def _bar(scale: _Scale, bar: Bar, y: int) -> Iterator[str]:
    end, colour = scale.x(bar.value), OWN if bar.own else OTHER
    weight = 600 if bar.own else 400
    yield f'<rect x="{LEFT}" y="{y + 7}" width="{end - LEFT:.1f}" height="{ROW - 12}" rx="2" fill="{colour}"/>'
    yield _text(LEFT - 10, y + 22, bar.label, anchor="end", weight=weight)
    yield _text(end + 8, y + 22, f"{bar.value:,.0f}", weight=weight)


def _text(
    x: float, y: float, text: str, *, size: int = 13, weight: int = 400, anchor: str = "start", colour: str = INK
) -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y}" {style}>{escape(text)}</text>'
