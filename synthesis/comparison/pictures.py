"""Pictures of a comparison: what rows, tokens and gold rows bring on test."""

from pathlib import Path

from synthesis.comparison.arms import GOLD, Arm, Student
from synthesis.report.tables import in_words

MARKERS = "osD^vPXp<>"
GREY = "0.2"


def arms(arms: list[Arm], gold: Student, file: Path) -> None:
    """The test metric against the rows learned and the tokens spent, a line through the rounds of each arm."""
    figure, (by_rows, by_tokens) = _panels(2, gold)
    for axes in (by_rows, by_tokens):
        axes.axhspan(100 * gold.metrics["low"], 100 * gold.metrics["high"], color=GREY, alpha=0.08, lw=0)
        axes.axhline(100 * gold.value, color=GREY, linestyle="--", lw=1.2, label=gold.name)
    for place, arm in enumerate(arms):
        students, look = [*arm.rounds, arm.final], _look(place)
        _line(by_rows, [student.rows for student in students], students, arm.name, look)
        if arm.final.tokens is not None:
            _line(by_tokens, [student.tokens for student in students], students, arm.name, look)
    for axes, label in ((by_rows, "rows learned"), (by_tokens, "tokens of the teacher, in and out")):
        axes.locator_params("x", nbins=5, integer=True)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel(label)
    if not any(arm.final.tokens for arm in arms):
        by_tokens.set_xticks([0])
    _save(figure, file)


def budgets(lines: dict[str, dict[int, Student]], file: Path) -> None:
    """The test metric against the gold budget, a line for each method."""
    sizes = list(lines[GOLD])
    figure, (axes,) = _panels(1, lines[GOLD][sizes[0]])
    for place, (name, line) in enumerate(lines.items()):
        look = {"color": GREY, "marker": "o", "linestyle": "--"} if name == GOLD else _look(place - 1)
        _line(axes, list(line), list(line.values()), name, look)
    _by_gold_rows(axes, sizes)
    _save(figure, file)


def bands(lines: dict[str, dict[int, list[float]]], title: str, metric: str, file: Path) -> None:
    """Values by the number of gold rows, the first line in grey: a line through the means, a band over all of them."""
    figure, (axes,) = _figure(1, title, metric)
    for place, (name, points) in enumerate(lines.items()):
        look = {"color": GREY, "marker": "o", "linestyle": "--"} if place == 0 else _look(place - 1)
        _banded(axes, points, name, look)
    _by_gold_rows(axes, list(points))
    _save(figure, file)


def by_ratio(panels: dict[str, dict[str, dict[float, list[float]]]], title: str, file: Path) -> None:
    """Values by the share of synthetic words, a panel for each label: a line through the means, a band over all."""
    from matplotlib.figure import Figure

    figure = Figure((1.5 + 5.5 * len(panels), 4), layout="constrained")
    figure.suptitle(title)
    for axes, (label, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for place, (name, points) in enumerate(lines.items()):
            _banded(axes, points, name, _look(place))
        axes.set_ylabel(label)
        axes.set_xlabel("share of synthetic words")
        axes.set_xlim(-0.03, 1.03)
        axes.legend(frameon=False, fontsize="small")
    _save(figure, file, legend=False)


def _banded(axes, points: dict[float, list[float]], name: str, look: dict) -> None:
    """A line through the means of the values at each point, and a band over all of them."""
    places, values = list(points), list(points.values())
    if len(places) > 1:
        ends = ([end(each) for each in values] for end in (min, max))
        axes.fill_between(places, *ends, alpha=0.1, lw=0, color=look["color"])
    axes.plot(places, [sum(each) / len(each) for each in values], label=name, markersize=6, lw=1.5, **look)


def _by_gold_rows(axes, sizes: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("gold budget, rows")


def _panels(count: int, student: Student) -> tuple:
    """A figure about a student's task and its panels, side by side."""
    return _figure(count, student.task.name, student.task.metric)


def _figure(count: int, title: str, metric: str) -> tuple:
    from matplotlib.figure import Figure

    figure = Figure((1.5 + 4.5 * count, 4), layout="constrained")
    panels = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    panels[0].set_ylabel(f"{in_words(metric)} on test, %")
    figure.suptitle(title)
    return figure, panels


def _look(place: int) -> dict:
    """One of ten colours that the colour-blind can tell apart, and of ten markers."""
    from matplotlib import style

    colours = style.library["petroff10"]["axes.prop_cycle"].by_key()["color"]
    return {"color": colours[place % 10], "marker": MARKERS[(place + place // 10) % 10]}


def _line(axes, sizes: list[int], students: list[Student], name: str, look: dict) -> None:
    """Values in a band of their 95% intervals; where all stand at one place, the last one with its bar."""
    metric = students[0].task.metric
    values, low, high = ([100 * student.metrics[key] for student in students] for key in (metric, "low", "high"))
    if len(set(sizes)) > 1:
        axes.fill_between(sizes, low, high, color=look["color"], alpha=0.08, lw=0)
    else:
        sizes, values = sizes[-1:], values[-1:]
        axes.vlines(sizes, low[-1:], high[-1:], color=look["color"], lw=1)
    axes.plot(sizes, values, label=name, markersize=6, markeredgecolor="white", markeredgewidth=0.5, lw=1.5, **look)


def _save(figure, file: Path, legend: bool = True) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3, lw=0.5)
    if legend:
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
