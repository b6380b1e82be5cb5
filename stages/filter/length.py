"""Rows far outside of gold's lengths: cut answers, lists, essays."""

from collections.abc import Iterator

import numpy as np

from stages.filter.rows import Rows


def find(new: Rows, old: Rows, gold: dict[str, Rows], setting: float) -> Iterator[tuple[int, str, str]]:
    """`setting` times shorter than the 1st percentile of the validation rows' words, or longer than the 99th."""
    low, high = np.percentile(gold["validation"].words[1], [1, 99])
    lengths = new.words[1].tolist()
    for place in new.left:
        if lengths[place] < low / setting:
            yield place, "too short", ""
        elif lengths[place] > high * setting:
            yield place, "too long", ""
