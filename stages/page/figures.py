"""Figures as SVG in the page itself. Their colours are those of the style sheet, so they follow light and dark."""

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 460, 290
LEFT, RIGHT, TOP, BOTTOM = 46, 16, 22, 44
SIDE, MARGIN = 300, 8  # of a map


class Axes:
    """Two axes with ticks, which span all the values given; `x` and `y` give the places of values."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float], whole: bool = False):
        self.x_ticks, self.y_ticks = _ticks(xs, whole), _ticks(ys)

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * _part(value, self.x_ticks)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _part(value, self.y_ticks)

    def line(self, xs: Iterable[float], ys: Iterable[float], classes: str) -> str:
        """A line through points, and the points themselves."""
        places = [(self.x(x), self.y(y)) for x, y in zip(xs, ys, strict=True)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
        return f'<g class="{classes}"><polyline points="{points}"/>{dots}</g>'

    def drawn(self, parts: list[str], x_label: str, y_label: str, told: str) -> Markup:
        """The figure. told: what it shows, for those who do not see it."""
        grid = [
            f'<path class="grid" d="M{LEFT} {self.y(tick):.1f}H{WIDTH - RIGHT}"/>'
            f'<text x="{LEFT - 8}" y="{self.y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
            for tick in self.y_ticks
        ]
        grid += [
            f'<text x="{self.x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>'
            for tick in self.x_ticks
        ]
        labels = [
            f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>',
            f'<text x="4" y="12">{escape(y_label)}</text>',
        ]
        return _svg(WIDTH, HEIGHT, [*grid, *parts, *labels], told)


def rounds(run, students: list[dict], gold: dict) -> Markup:
    """The test metric by the rows that were learned, with 95% intervals, over the band of the gold baseline."""
    rows = [student["rows"] for student in students]
    marks = [_percents(student["marks"]["test"], run.task) for student in [*students, gold]]
    axes = Axes(rows, [value for mark in marks for value in mark], whole=True)
    *synthetic, (low, level, high) = marks
    named = {}  # by the rows: where the name stands, and the names of all who learned as many
    for student, (_, _, top) in zip(students, synthetic, strict=True):
        name = student["name"].removeprefix("round ")
        above, names = named.get(student["rows"], (top, ""))
        named[student["rows"]] = max(above, top), f"{names}, {name}" if names else name
    parts = [
        f'<rect class="band" x="{LEFT}" y="{axes.y(high):.1f}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{axes.y(low) - axes.y(high):.1f}"/>',
        f'<path class="gold line" d="M{LEFT} {axes.y(level):.1f}H{WIDTH - RIGHT}"/>',
        *(
            f'<path class="synthetic line" d="M{axes.x(x):.1f} {axes.y(bottom):.1f}V{axes.y(top):.1f}"/>'
            for x, (bottom, _, top) in zip(rows, synthetic, strict=True)
        ),
        axes.line(rows, [middle for _, middle, _ in synthetic], "synthetic"),
        *(
            f'<text class="name" x="{axes.x(x):.1f}" y="{axes.y(top) - 6:.1f}" text-anchor="middle">{names}</text>'
            for x, (top, names) in named.items()
        ),
    ]
    told = ", ".join(f"{one['name']} {mark[1]:.1f}" for one, mark in zip([*students, gold], marks, strict=True))
    return axes.drawn(parts, "rows learned", f"test {run.metric}, %", told)


def curves(lines: list[tuple], x_label: str, y_label: str, whole: bool = False) -> Markup:
    """Lines (name, classes, xs, ys); the classes of the style sheet tell them apart. whole: x counts something."""
    axes = Axes([x for *_, xs, _ in lines for x in xs], [y for *_, ys in lines for y in ys], whole)
    told = "; ".join(f"{name}: " + ", ".join(f"{y:.0f}" for y in ys) for name, _, _, ys in lines)
    return axes.drawn([axes.line(xs, ys, classes) for _, classes, xs, ys in lines], x_label, y_label, told)


def scatter(sets: dict[str, np.ndarray], every: np.ndarray, told: str) -> Markup:
    """Sets of points (rows, 2) by their classes, on a square that holds `every` point."""
    low, spread = every.min(axis=0), max(float(np.ptp(every, axis=0).max()), 1e-9)
    inset = (spread - np.ptp(every, axis=0)) / 2  # centred along the shorter side

    def placed(points: np.ndarray) -> str:
        places = MARGIN + (SIDE - 2 * MARGIN) * (points - low + inset) / spread
        return "".join(f"M{x:.1f} {SIDE - y:.1f}h0" for x, y in places)

    parts = [f'<path class="{classes} dots" d="{placed(points)}"/>' for classes, points in sets.items()]
    return _svg(SIDE, SIDE, parts, told)


def _svg(width: int, height: int, parts: list[str], told: str) -> Markup:
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(told)}">{"".join(parts)}</svg>')


def _percents(mark: dict, task) -> tuple[float, float, float]:
    return tuple(100 * mark[key] for key in ("low", task.metric, "high"))


def _ticks(values: Sequence[float], whole: bool = False) -> np.ndarray:
    """Round numbers that span the values."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1
    return MaxNLocator(5, integer=whole, steps=[1, 2, 5, 10]).tick_values(low, high)


def _part(value: float, ticks: np.ndarray) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])
