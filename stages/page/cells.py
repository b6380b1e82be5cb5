"""Tables of the page. A cell is a text, or a `Number`, which is sorted by its value whatever it looks like."""

import math
from typing import NamedTuple

from stages.pipeline import markdown


class Number(NamedTuple):
    """value: None sorts last. share: of 1, drawn as a bar behind the number; None for no bar."""

    shown: str
    value: float | None
    share: float | None = None


class Table(NamedTuple):
    caption: str
    head: list[str]
    rows: list[list]


NONE = Number("–", None)


def count(value: int | None) -> Number:
    return NONE if value is None else Number(f"{value:,}", value)


def part(value: int | None, whole: int | None) -> Number:
    return NONE if value is None else Number(f"{value:,} of {whole:,}", value)


def decimal(value: float | None, digits: int = 2) -> Number:
    return NONE if value is None or math.isnan(value) else Number(f"{value:.{digits}f}", value)


def percent(value: float | None, bar: bool = False) -> Number:
    return NONE if value is None or math.isnan(value) else Number(f"{100 * value:.1f}", value, value if bar else None)


def marked(mark: dict | None, task) -> Number:
    """A mark with its interval."""
    return NONE if mark is None else Number(markdown.marked(mark, task), mark[task.metric])


def dollars(value: float | None) -> Number:
    return Number("unknown", None) if value is None else Number(f"${value:,.2f}", value)
