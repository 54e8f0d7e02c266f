"""Line charts as SVG inside a page: they follow its colours, light or dark, and need no script."""

import math
from html import escape

from rlld_agents.reports.page.content import Chart

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 14, 40
"""Margins around the lines."""


def chart_html(chart: Chart) -> str:
    """Return a chart with its legend, as an HTML figure."""
    points = [point for line in chart.lines.values() for point in line]
    heights = [y for _, y in points] + list(chart.levels.values())
    x_ticks = ticks(min(x for x, _ in points), max(x for x, _ in points), whole=True)
    y_ticks = ticks(min(heights), max(heights))
    frame = _Frame(x_ticks[0], x_ticks[-1], y_ticks[0], y_ticks[-1])
    parts = [_horizontal(frame, y, "grid") + _text(LEFT - 6, frame.y(y) + 4, y, "end") for y in y_ticks]
    parts += [_text(frame.x(x), HEIGHT - BOTTOM + 16, x, "middle") for x in x_ticks]
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(chart.axis)}</text>'
    )
    for colour, line in enumerate(chart.lines.values()):
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in line)
        parts.append(f'<polyline class="line c{colour % 7}" points="{path}"/>')
        if len(line) <= 12:
            parts += [
                f'<circle class="dot c{colour % 7}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3"/>'
                for x, y in line
            ]
    first_level = len(chart.lines)
    for colour, level in enumerate(chart.levels.values(), first_level):
        parts.append(_horizontal(frame, level, f"level c{colour % 7}"))
    return (
        f'<figure class="chart"><figcaption>{escape(chart.title)}</figcaption>\n'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_summary(chart))}">'
        f'{"".join(parts)}</svg>\n<ul class="legend">{_legend(chart)}</ul></figure>'
    )


class _Frame:
    """From values to places in the drawing."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self._left, self._low = left, low
        self._across = (WIDTH - LEFT - RIGHT) / ((right - left) or 1)
        self._up = (HEIGHT - TOP - BOTTOM) / ((high - low) or 1)

    def x(self, value: float) -> float:
        return LEFT + (value - self._left) * self._across

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self._low) * self._up


def ticks(low: float, high: float, *, whole: bool = False, most: int = 6) -> list[float]:
    """Return two to ``most`` + 1 round numbers that enclose [low, high], in equal steps of 1, 2 or 5 times 10^n.

    Args:
        low: the smallest value.
        high: the largest value.
        whole: only whole numbers.
        most: the most steps.
    """
    if low == high:
        low, high = low - 1, high + 1
    span = high - low
    exponent = math.floor(math.log10(span / most))
    sizes = (factor * 10.0**power for power in (exponent, exponent + 1) for factor in (1, 2, 5))
    for step in sizes:
        if whole and step < 1:
            continue
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= most:
            break
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _horizontal(frame: _Frame, value: float, css: str) -> str:
    place = f"{frame.y(value):.1f}"
    return f'<line class="{css}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place}" y2="{place}"/>'


def _text(x: float, y: float, value: float, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{value:g}</text>'


def _legend(chart: Chart) -> str:
    """Return a legend with the last value of each line."""
    lines = [(name, points[-1][1], "") for name, points in chart.lines.items()]
    levels = [(name, value, " dashed") for name, value in chart.levels.items()]
    return "".join(
        f'<li><span class="swatch c{colour % 7}{dashed}"></span>{escape(name)} <b>{value:.4g}</b></li>'
        for colour, (name, value, dashed) in enumerate([*lines, *levels])
    )


def _summary(chart: Chart) -> str:
    """Return what a chart shows, for those who do not see it."""
    lines = [f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in chart.lines.items()]
    levels = [f"for comparison {name} {value:.4g}" for name, value in chart.levels.items()]
    return f"{chart.title}, by {chart.axis}: " + "; ".join([*lines, *levels])
