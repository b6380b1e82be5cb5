"""Tables, as a terminal, Markdown and the page show them.

A cell of the page's tables is a text, or a `Number`, which is sorted by its value whatever it looks like.
"""

import math
from typing import NamedTuple

from synthesis.tasks.base import Task


class Number(NamedTuple):
    """value: None sorts last. share: of 1, drawn as a bar behind the number; None for no bar."""

    text: str
    value: float | None
    share: float | None = None


class Table(NamedTuple):
    caption: str
    head: list[str]
    rows: list[list]


NONE = Number("–", None)
SPELLED = {"f1": "F1", "chrf": "chrF++", "bleu": "BLEU", "rouge_l": "ROUGE-L"}


def count(value: int | None) -> Number:
    return NONE if value is None else Number(f"{value:,}", value)


def part(value: int | None, whole: int | None) -> Number:
    return NONE if value is None else Number(f"{value:,} of {whole:,}", value)


def decimal(value: float | None, digits: int = 2) -> Number:
    return NONE if value is None or math.isnan(value) else Number(f"{value:.{digits}f}", value)


def percent(value: float | None, bar: bool = False) -> Number:
    return NONE if value is None or math.isnan(value) else Number(f"{100 * value:.1f}", value, value if bar else None)


def dollars(value: float | None) -> Number:
    return Number("unknown", None) if value is None else Number(f"${value:,.2f}", value)


def interval(score: dict) -> Number:
    """A score with its interval, in %."""
    value, low, high = (100 * score[key] for key in ("score", "low", "high"))
    return Number(f"{value:.1f} [{low:.1f}, {high:.1f}]", value)


def metric(metrics: dict | None, task: Task) -> Number:
    """A student's metrics on one split, sorted by the one that decides."""
    return NONE if metrics is None else Number(metric_text(metrics, task), metrics[task.metric])


def metric_text(metrics: dict, task: Task) -> str:
    """A student's metrics on one split in %: `71.0 ± 0.4 [66.5, 75.2], exact match 60.1`.

    The metric that decides, its deviation over training seeds, its interval, and the task's other metrics.
    """
    value, low, high = (100 * metrics[key] for key in (task.metric, "low", "high"))
    deviation = f" ± {100 * metrics['deviation']:.1f}" if "deviation" in metrics else ""
    others = [key for key in metrics if key not in (task.metric, "low", "high", "deviation", "corpus")]
    rest = "".join(f", {in_words(key)} {100 * metrics[key]:.1f}" for key in others)
    return f"{value:.1f}{deviation} [{low:.1f}, {high:.1f}]{rest}"


def p_value(p: float) -> Number:
    return Number(p_text(p), p)


def p_text(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}"


def in_words(name: str) -> str:
    """The name of a column or a metric in a sentence."""
    return SPELLED.get(name) or name.replace("_", " ")


def markdown(rows: list[list]) -> list[str]:
    """The lines of a Markdown table, aligned, so that a terminal shows it well too. The first row is the head."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
