"""Figures, each drawn once: `save` writes one as a picture, `svg` turns it into a part of the page.

A figure's label says what it shows, for those who do not see it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np
from markupsafe import Markup, escape

# As style.css names them, with their values in the light.
COLOURS = {"accent": "#1b5fab", "gold": "#946200", "ink": "#1d2025", "soft": "#585e68", "rule": "#dcdcd4"}
STYLE = {
    "font.size": 12,
    "text.color": COLOURS["soft"],
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.labelcolor": COLOURS["soft"],
    "axes.spines.left": False,
    "axes.spines.bottom": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["soft"],
    "ytick.labelcolor": COLOURS["soft"],
    "xtick.bottom": False,
    "ytick.left": False,
    "lines.linewidth": 2,
    "lines.markersize": 6,
    "lines.markeredgewidth": 0,
    "legend.frameon": False,
    "svg.fonttype": "none",
}
# What matplotlib writes into a file of its own, and what stands in a page instead.
FOR_THE_PAGE = {
    r'(?s)^.*?<svg [^>]*(viewBox="[^"]*")[^>]*>': r"<svg \1>",
    r"(?s)<style.*?</style>|<!--.*?-->": "",  # a style would hold for the whole page
    r"font-size: [^;]*; font-family: [^;]*; ": "",
    r' id="(?![mp][0-9a-f]{10}")[^"]*"': "",  # but those of markers and clips, which are referred to
    r"-?\d+\.\d{3,}": lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."),
}


@contextmanager
def styled():
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


@styled()
def rounds(students: list[tuple], baseline: tuple, metric: str):
    """The test metric by the rows that were learned, with 95% intervals, over the band of the gold baseline.

    students: (name, rows, (low, value, high)), in %. baseline: its (low, value, high).
    """
    figure, axes = _axes("rows learned", f"test {metric}, %", whole=True)
    low, value, high = baseline
    axes.axhspan(low, high, color=COLOURS["gold"], alpha=0.13, lw=0)
    axes.axhline(value, color=COLOURS["gold"], label="gold baseline")
    names, rows, intervals = zip(*students, strict=True)
    lows, values, highs = zip(*intervals, strict=True)
    axes.vlines(rows, lows, highs, color=COLOURS["accent"])
    axes.plot(rows, values, marker="o", color=COLOURS["accent"], label="rounds and final", clip_on=False)
    for x in dict.fromkeys(rows):  # those who learned as many rows share one label
        shared = [place for place, size in enumerate(rows) if size == x]
        label = ", ".join(names[place].removeprefix("round ") for place in shared)
        style = {"textcoords": "offset points", "ha": "center", "color": COLOURS["ink"]}
        axes.annotate(label, (x, max(highs[place] for place in shared)), (0, 4), **style)
    shown = [f"{name} {value:.1f}" for name, value in zip(names, values, strict=True)]
    figure.set_label(f"test {metric}, %: {', '.join(shown)}, gold baseline {value:.1f}")
    return figure


@styled()
def curves(lines: list[tuple], x_label: str, y_label: str, whole: bool = False):
    """Lines (name, colour, dashed, xs, ys) with their points. whole: x counts something."""
    figure, axes = _axes(x_label, y_label, whole)
    for name, colour, dashed, xs, ys in lines:
        style = {"linestyle": (0, (2.5, 2))} if dashed else {}
        axes.plot(xs, ys, marker="o", color=COLOURS[colour], label=name, clip_on=False, **style)
    shown = (f"{name}: {', '.join(f'{y:.0f}' for y in ys)}" for name, *_, ys in lines)
    figure.set_label(f"{y_label}, by {x_label}: {'; '.join(shown)}")
    return figure


@styled()
def maps(places: dict[str, np.ndarray], names: Sequence[str]):
    """For each name its points (rows, 2) over those of gold, on squares of the same scale (Figure 3)."""
    from matplotlib.figure import Figure

    every = np.concatenate(list(places.values()))
    middle, radius = (every.max(axis=0) + every.min(axis=0)) / 2, 0.51 * np.ptp(every, axis=0).max()
    figure = Figure((5 * len(names), 5.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for shown, colour in (("gold", "gold"), (name, "accent")):
            label = "gold data" if shown == "gold" else "synthetic data"
            style = {"marker": "o", "markersize": 5, "linestyle": "", "alpha": 0.62, "clip_on": False}
            axes.plot(*places[shown].T, color=COLOURS[colour], label=label, **style)
        x_limits, y_limits = ((at - radius, at + radius) for at in middle)
        axes.set(xticks=[], yticks=[], aspect="equal", xlabel=f"{name} data", xlim=x_limits, ylim=y_limits)
        axes.grid(False)
    figure.set_label(f"{' and '.join(names)} data over gold data")
    return figure


@styled()
def save(figure, file, title: str) -> None:
    """Write a PNG with a title and a legend. The same figure gives the same bytes."""
    figure.suptitle(title)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})


@styled()
def svg(figure) -> Markup:
    """The figure for the page. Its font is the page's, and its colours are those of the style sheet, light or dark."""
    import matplotlib

    file, nothing = io.StringIO(), dict.fromkeys(["Creator", "Date", "Format", "Type"])
    with matplotlib.rc_context({"svg.hashsalt": figure.get_label()}):  # names of markers: no two figures share one
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    for pattern, replacement in FOR_THE_PAGE.items():
        text = re.sub(pattern, replacement, text)
    for name, value in COLOURS.items():
        text = text.replace(value, f"var(--{name})")
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.get_label())}" ', 1))


def _axes(x_label: str, y_label: str, whole: bool):
    from matplotlib.figure import Figure

    figure = Figure((6.4, 4), layout="constrained")
    axes = figure.subplots()
    axes.set_title(y_label)
    axes.set_xlabel(x_label)
    axes.locator_params(nbins=5, steps=[1, 2, 5, 10])
    axes.locator_params("x", integer=whole)
    return figure, axes
