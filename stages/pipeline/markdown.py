"""Results as people read them, in a terminal and in Markdown."""


def table(rows: list[list]) -> list[str]:
    """The lines of a table that is aligned, so that a terminal shows it well too. The first row is the head."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def marked(mark: dict, task) -> str:
    """A mark in %: the metric, its deviation over training seeds, its interval, and the task's other metrics."""
    value, low, high = (100 * mark[key] for key in (task.metric, "low", "high"))
    spread = f" ± {100 * mark['deviation']:.1f}" if "deviation" in mark else ""
    others = [key for key in mark if key not in (task.metric, "low", "high", "deviation")]
    rest = "".join(f", {key.replace('_', ' ')} {100 * mark[key]:.1f}" for key in others)
    return f"{value:.1f}{spread} [{low:.1f}, {high:.1f}]{rest}"


def chance(p: float) -> str:
    """A p value."""
    return "<.001" if p < 0.001 else f"{p:.3f}"
