"""Rows that the teacher wrote nearly alike, when it was given the same.

A small change that makes another label (or, in one context, another answer) true is no duplicate: it is what the
student has to learn.
"""

from collections.abc import Iterator

from stages.filter.rows import Rows
from stages.filter.similar import twins


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting: float) -> Iterator[tuple[int, str, str]]:
    given = [*new.context, *new.task.targets]
    for place, twin in twins(new, old, given, setting, among=True):
        yield place, "near duplicate", twin
