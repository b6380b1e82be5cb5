"""Pictures of a comparison: what rows, tokens and gold rows bring on test."""

from pathlib import Path

from stages.comparison.arm import GOLD, Arm, Student

MARKERS = "osD^vP*Xp<"
GREY = "0.35"


def arms(arms: list[Arm], gold: Student, file: Path) -> None:
    """The test metric against the rows learned and the tokens spent, a line through the rounds of each arm."""
    figure, panels, pyplot = _figure(2, gold)
    spent = [("rows learned", lambda student: student.rows), ("tokens of the teacher", lambda student: student.tokens)]
    for axes, (label, size) in zip(panels, spent, strict=True):
        _level(axes, gold)
        for place, arm in enumerate(arms):
            students = [*arm.rounds, arm.final]
            _line(axes, [size(student) for student in students], students, arm.name, _look(pyplot, place))
        axes.set_xlabel(label)
    _save(figure, panels, file, pyplot)


def budgets(lines: dict[str, dict[int, Student]], file: Path) -> None:
    """The test metric against the gold budget, a line for each way to learn."""
    figure, panels, pyplot = _figure(1, next(iter(lines[GOLD].values())))
    for place, (name, line) in enumerate(lines.items()):
        look = {"color": GREY, "marker": "", "linestyle": "--"} if name == GOLD else _look(pyplot, place - 1)
        _line(panels[0], list(line), list(line.values()), name, look)
    panels[0].set_xlabel("gold budget, rows")
    _save(figure, panels, file, pyplot)


def _figure(count: int, student: Student):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, count, sharey=True, squeeze=False, figsize=(1.5 + 4.5 * count, 4), layout="constrained"
    )
    panels[0, 0].set_ylabel(f"{student.task.metric} on test, %")
    figure.suptitle(student.task.name)
    return figure, panels[0], pyplot


def _look(pyplot, place: int) -> dict:
    """Ten colours that the colour-blind can tell apart, and as many markers."""
    colours = pyplot.style.library["petroff10"]["axes.prop_cycle"].by_key()["color"]
    return {"color": colours[place % len(colours)], "marker": MARKERS[(place + place // len(colours)) % len(MARKERS)]}


def _level(axes, student: Student) -> None:
    low, high = 100 * student.mark["low"], 100 * student.mark["high"]
    axes.axhspan(low, high, color=GREY, alpha=0.1, lw=0)
    axes.axhline(100 * student.mark[student.task.metric], color=GREY, linestyle="--", lw=1, label=student.name)


def _line(axes, sizes: list[int], students: list[Student], name: str, look: dict) -> None:
    """Values with their 95% intervals: a band; a bar at the last one where all stand at one place."""
    values = [100 * student.mark[student.task.metric] for student in students]
    low, high = ([100 * student.mark[key] for student in students] for key in ("low", "high"))
    if len(set(sizes)) > 1:
        axes.plot(sizes, values, label=name, markersize=5, lw=1.5, **look)
        axes.fill_between(sizes, low, high, color=look["color"], alpha=0.08, lw=0)
    else:
        reach = [[values[-1] - low[-1]], [high[-1] - values[-1]]]
        axes.errorbar(sizes[-1:], values[-1:], reach, label=name, markersize=5, capsize=3, lw=0, elinewidth=1, **look)


def _save(figure, panels, file: Path, pyplot) -> None:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3, lw=0.5)
        axes.xaxis.set_major_locator(pyplot.MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter("{x:,.0f}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    pyplot.close(figure)
